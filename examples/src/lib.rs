//! What the example programs are made of: services that are short enough to read in one sitting.

pub mod files;
pub mod fleet;
pub mod math;
pub mod users;
