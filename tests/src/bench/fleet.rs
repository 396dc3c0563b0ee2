//! Ten and fifty hosts at once.

use super::apply::{cgroup, outcome};
use super::measure::{median_of, run, settled, watch};
use super::sheet::{Missing, Row, Sheet, Unit};
use super::{job, peers};
use crate::lab::{Host, Lab};
use crate::os;

const HOSTS: usize = 50;
/// Milliseconds for all of them.
const NO_OP: f64 = 5000.0;
/// Bytes.
const MEMORY: f64 = 150.0 * 1_048_576.0;

pub(super) fn measure(sheet: &mut Sheet) {
    sheet.title("100 file states on many hosts (all of them on this machine)");
    let lab = match job::lab((1..=HOSTS).map(|number| format!("h{number:02}"))) {
        Ok(lab) => lab,
        Err(why) => return sheet.note(&why),
    };
    let project = job::project(&lab);
    for count in [10, HOSTS] {
        let hosts = &lab.hosts()[..count];
        let names: Vec<_> = hosts.iter().map(Host::name).collect();
        let others = peers::ready(&lab, hosts);
        let mut apply = project.command();
        apply.args(["apply", "-L", &names.join(","), "--json"]);

        let erased = erase(hosts);
        let first = erased
            .and_then(|()| run(&apply))
            .and_then(|run| outcome(&run, "changed"));
        let millis = first.as_ref().map(|run| run.millis).map_err(Clone::clone);
        let peak_first = first.as_ref().map(|run| run.peak).map_err(Clone::clone);
        // Others are compared where nothing is left to do: a first run of some takes them half an hour here.
        sheet.add(Row::new(
            format!("{count} hosts: first converge, agent sent"),
            Unit::Millis,
            millis,
        ));

        sheet.add(
            Row::new(
                format!("{count} hosts: peak memory of the master, first converge"),
                Unit::Bytes,
                peak_first,
            )
            .at_most(MEMORY),
        );
        let ssh = median_of(3, || all_ssh(hosts));
        sheet.add(Row::new(
            format!("{count} hosts: `ssh host true`, all at once"),
            Unit::Millis,
            ssh,
        ));
        // Whoever came last made the files; a first run of our own may have its records to write.
        let second = first.and_then(|_| run(&apply));
        let mut peak = Err("not measured".to_owned());
        let (no_op, agents) = watch("salt-rs-minion", &cgroup(&lab), || {
            second.and_then(|_| {
                median_of(3, || {
                    let run = run(&apply).and_then(|run| outcome(&run, "ok"))?;
                    peak = Ok(run.peak);
                    Ok(run.millis)
                })
            })
        });
        let seen = no_op.is_ok();
        let mut row = Row::new(format!("{count} hosts: no-op"), Unit::Millis, no_op);
        if count == HOSTS {
            row = row.at_most(NO_OP);
        }
        row.others = others
            .iter()
            .map(|other| (other.name.to_owned(), settled(&other.command())))
            .collect();
        sheet.add(row);
        sheet.add(
            Row::new(
                format!("{count} hosts: peak memory of the master, no-op"),
                Unit::Bytes,
                peak,
            )
            .at_most(MEMORY),
        );
        let agents = if seen { agents } else { Err("no run".to_owned()) };
        sheet.add(Row::new(
            format!("{count} hosts: peak memory of an agent, no-op"),
            Unit::Bytes,
            agents,
        ));
    }
    rest(sheet, &lab);
}

fn rest(sheet: &mut Sheet, lab: &Lab) {
    let up = lab.hosts().iter().filter(|host| host.is_up()).count();
    sheet.note(&format!("{up} of {} hosts still up", lab.hosts().len()));
}

fn erase(hosts: &[Host]) -> Result<(), Missing> {
    hosts.iter().try_for_each(job::erase)
}

/// The OpenSSH client to all hosts at once, as a shell would do it.
fn all_ssh(hosts: &[Host]) -> Result<f64, Missing> {
    let options = hosts.first().map(Host::ssh_options).unwrap_or_default().join(" ");
    let addresses: Vec<_> = hosts.iter().map(Host::ip).collect();
    let mut all = os::command("sh");
    let line = format!(
        "printf '%s\\n' {} | xargs -P {} -I% ssh -n {options} root@% true",
        addresses.join(" "),
        hosts.len()
    );
    all.args(["-c", &line]);
    run(&all).map(|run| run.millis)
}
