//! Text to validated documents: parse with spans, check, and say all that is wrong at once.
