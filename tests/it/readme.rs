//! What the README and the page on undo show is what happens. `UPDATE_DOCS=1` writes the pages anew.

use std::path::Path;

use harness::{HostSpec, Lab, os, salt_rs_path, tour};

#[test]
fn the_tour_prints_what_the_readme_says() {
    check("../README.md", &["web1", "web2"]);
}

#[test]
fn the_page_on_undo_shows_what_happens() {
    check("../docs/rollback.md", &["web1"]);
}

/// Runs the `console` blocks of a page on fresh hosts.
fn check(page: &str, hosts: &[&str]) {
    let page_file = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let page = os::read_text(&page_file).unwrap();
    let specs: Vec<HostSpec> = hosts.iter().map(|name| HostSpec::systemd(*name)).collect();
    let lab = Lab::up(&specs).unwrap();
    let dir = lab.dir().join("tour");
    tour::prepare(&lab, &dir);
    let steps = tour::steps(&page);
    let outputs: Vec<String> = tour::outputs(&dir, &salt_rs_path(), &steps)
        .iter()
        .map(|output| tour::plain(output, &lab))
        .collect();
    assert_eq!(outputs.len(), steps.len());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        os::write(&page_file, tour::rewritten(&page, &outputs)).unwrap();
        return;
    }
    for (step, output) in steps.iter().zip(&outputs) {
        assert_eq!(
            &step.output, output,
            "$ {} (UPDATE_DOCS=1 rewrites the page)",
            step.command
        );
    }
}

#[test]
fn both_commands_of_the_readme_are_there() {
    let makefile = os::read_text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../Makefile")).unwrap();
    for target in ["demo:", "test:"] {
        assert!(
            makefile.lines().any(|line| line.starts_with(target)),
            "make {target}"
        );
    }
}
