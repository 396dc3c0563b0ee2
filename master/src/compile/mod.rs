//! The compiler: from a tree, a pillar and answers to catalogs.

pub mod diagnostic;
pub mod yaml;
