//! What a host keeps of its runs. Files only: one damaged run must not cost the others, and `cat` reads it.

pub mod objects;
