//! One file per command: what it takes, what it calls, and in which order. How values look is in [`crate::view`].

pub(crate) mod apply;
pub(crate) mod audit;
pub(crate) mod completions;
pub(crate) mod confirm;
pub(crate) mod console;
pub(crate) mod doctor;
pub(crate) mod drift;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod history;
pub(crate) mod host;
pub(crate) mod logs;
pub(crate) mod network;
pub(crate) mod new;
pub(crate) mod plan;
pub(crate) mod resume;
pub(crate) mod rollback;
pub(crate) mod schema;
pub(crate) mod shell;
pub(crate) mod simulate;
pub(crate) mod status;
pub(crate) mod suspend;
pub(crate) mod sync;
pub(crate) mod template;
pub(crate) mod tenant;
pub(crate) mod validate;
