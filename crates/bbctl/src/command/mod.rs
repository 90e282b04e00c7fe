//! One file per command: what it takes, what it calls, and in which order. How values look is in [`crate::view`].

pub(crate) mod completions;
pub(crate) mod new;
pub(crate) mod schema;
pub(crate) mod template;
pub(crate) mod validate;
