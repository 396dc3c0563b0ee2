//! The eleven hosts of vagrant/, in a program of its own: what it measures (seconds without an answer, requests lost) must
//! not depend on which other test runs at the same time.

// `cfg(test)` tells clippy that helpers between the tests are tests, too.
#[cfg(test)]
mod there_and_back;
