//! The static agent: what travels to a host, and how soon it is there to work.

use std::io::Write;
use std::path::Path;

use super::measure::{median_of, millis};
use super::sheet::{Missing, Row, Sheet, Unit};
use crate::os;
use crate::program::static_agent;

/// The stripped file, in bytes.
const SIZE: f64 = 4.0 * 1_048_576.0;
/// What an upload may cost, in bytes.
const PACKED: f64 = 2.0 * 1_048_576.0;
/// Milliseconds until it does something.
const START: f64 = 5.0;

pub(super) fn measure(sheet: &mut Sheet) {
    sheet.title("the agent");
    let path = static_agent();
    let stripped = path.with_extension("stripped");
    let strip = |path: &Path| -> Result<f64, Missing> {
        let (from, to) = (path.display().to_string(), stripped.display().to_string());
        os::run("strip", &["-o", &to, &from]).map_err(|err| err.to_string())?;
        Ok(os::read(&stripped).map_err(|err| err.to_string())?.len() as f64)
    };
    sheet.add(Row::new("size, stripped", Unit::Bytes, strip(path)).at_most(SIZE));
    let packed = || -> Result<f64, Missing> {
        let bytes = os::read(&stripped).map_err(|err| err.to_string())?;
        let mut gzip = os::command("gzip");
        gzip.arg("-9")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped());
        let mut child = gzip.spawn().map_err(|err| err.to_string())?;
        let stdin = child.stdin.take();
        let out = std::thread::scope(|scope| {
            scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(&bytes)));
            child.wait_with_output()
        });
        Ok(out.map_err(|err| err.to_string())?.stdout.len() as f64)
    };
    sheet.add(Row::new("size, gzip -9, as it is uploaded", Unit::Bytes, packed()).at_most(PACKED));

    // The cost of starting any program under the two that measure it is taken off.
    let mut agent = os::command(&stripped.display().to_string());
    agent.arg("--version");
    let start = median_of(1, || Ok(millis(51, &agent)? - millis(51, &os::command("true"))?));
    sheet.add(Row::new("start (--version), more than `true`", Unit::Millis, start).at_most(START));
}
