//! Checks of the rendered artefacts before anything is switched.
