//! What a push to an embedded repository meets: `pre-receive` judges it, `post-receive` has it deployed. Git calls them in
//! the bare repository; what they say is what the person who pushes sees.

pub mod place;
pub mod post_receive;
pub mod pre_receive;

pub use place::{Place, Source};

#[cfg(test)]
mod tests;
