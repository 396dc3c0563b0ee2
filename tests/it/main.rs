//! Behaviour of salt-rs through its front doors: one behaviour per file, one program for all of them.

// `cfg(test)` tells clippy that helpers between the tests are tests, too.
#[cfg(test)]
mod agent;
#[cfg(test)]
mod back;
mod batch;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod converge;
#[cfg(test)]
mod cut;
#[cfg(test)]
mod formulas;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod hostcfg;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod hosts;
#[cfg(test)]
mod lab;
#[cfg(test)]
mod lint;
#[cfg(test)]
mod lockout;
#[cfg(test)]
mod mysql;
#[cfg(test)]
mod netcfg;
#[cfg(test)]
mod own;
#[cfg(test)]
mod packages;
#[cfg(test)]
mod provided;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod rpm;
#[cfg(test)]
mod seed;
#[cfg(test)]
mod seed_hosts;
#[cfg(test)]
mod swap;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod torture;
#[cfg(test)]
mod vagrant;
