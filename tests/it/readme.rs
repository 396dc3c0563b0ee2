//! What the README shows is what happens. `UPDATE_DOCS=1` writes the page anew.

use std::path::Path;

use harness::{HostSpec, Lab, os, salt_rs_path, tour};

#[test]
fn the_tour_prints_what_the_readme_says() {
    let page_file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let page = os::read_text(&page_file).unwrap();
    let lab = Lab::up(&[HostSpec::systemd("web1"), HostSpec::systemd("web2")]).unwrap();
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
