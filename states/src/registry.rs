//! Every state function there is, in documentation order. Registration is by this list alone.

use crate::{
    State, alias, alternatives, apache, archive, cmd, cron, debconf, environ, file, gem, git, group, hosts,
    ini, iptables, kmod, locale, module, mount, mysql, network, nftables, npm, pip, pkg, pkgrepo, service,
    ssh_auth, ssh_known_hosts, sysctl, test, timezone, user,
};

/// All state functions.
pub static STATES: &[&dyn State] = &[
    &file::Managed,
    &file::Directory,
    &file::Recurse,
    &file::Symlink,
    &file::Absent,
    &file::Copy,
    &file::Append,
    &file::Prepend,
    &file::Replace,
    &file::Line,
    &file::Blockreplace,
    &file::Keyvalue,
    &file::Comment,
    &file::Uncomment,
    &file::Serialize,
    &file::Touch,
    &file::Tidied,
    &file::Accumulated,
    &file::Rename,
    &file::Exists,
    &file::Missing,
    &pkg::Installed,
    &pkg::Latest,
    &pkg::Removed,
    &pkg::Purged,
    &pkg::Held,
    &pkg::Unheld,
    &pkg::Uptodate,
    &pkg::GroupInstalled,
    &pkgrepo::Managed,
    &pkgrepo::Absent,
    &service::Running,
    &service::Dead,
    &service::Enabled,
    &service::Disabled,
    &service::Masked,
    &service::Unmasked,
    &cmd::Run,
    &cmd::Wait,
    &cmd::Script,
    &cmd::WaitScript,
    &environ::Setenv,
    &user::Present,
    &user::Absent,
    &group::Present,
    &group::Absent,
    &sysctl::Present,
    &hosts::Present,
    &hosts::Absent,
    &hosts::Only,
    &alias::Present,
    &alias::Absent,
    &ssh_auth::Present,
    &ssh_auth::Absent,
    &ssh_auth::Manage,
    &ssh_known_hosts::Present,
    &ssh_known_hosts::Absent,
    &debconf::Set,
    &cron::Present,
    &cron::Absent,
    &cron::EnvPresent,
    &cron::EnvAbsent,
    &cron::File,
    &kmod::Present,
    &kmod::Absent,
    &timezone::System,
    &locale::System,
    &locale::Present,
    &network::System,
    &alternatives::Install,
    &alternatives::Remove,
    &alternatives::Auto,
    &alternatives::Set,
    &apache::MODULE_ENABLED,
    &apache::MODULE_DISABLED,
    &apache::CONF_ENABLED,
    &apache::CONF_DISABLED,
    &apache::SITE_ENABLED,
    &apache::SITE_DISABLED,
    &ini::OptionsPresent,
    &ini::OptionsAbsent,
    &ini::SectionsPresent,
    &ini::SectionsAbsent,
    &mount::Mounted,
    &mount::Unmounted,
    &mount::Swap,
    &mount::FstabPresent,
    &mount::FstabAbsent,
    &iptables::Append,
    &iptables::Insert,
    &iptables::Delete,
    &iptables::ChainPresent,
    &iptables::ChainAbsent,
    &iptables::Flush,
    &iptables::SetPolicy,
    &nftables::TablePresent,
    &nftables::TableAbsent,
    &nftables::ChainPresent,
    &nftables::ChainAbsent,
    &nftables::Append,
    &nftables::Insert,
    &nftables::Delete,
    &nftables::Flush,
    &nftables::SetPolicy,
    &archive::Extracted,
    &git::Latest,
    &npm::Installed,
    &npm::Bootstrap,
    &pip::Installed,
    &pip::Removed,
    &pip::Managed,
    &gem::Installed,
    &gem::Removed,
    &mysql::UserPresent,
    &mysql::UserAbsent,
    &mysql::DatabasePresent,
    &mysql::DatabaseAbsent,
    &mysql::GrantsPresent,
    &mysql::GrantsAbsent,
    &mysql::QueryRun,
    &mysql::QueryRunFile,
    &mysql::Replica,
    &mysql::ReplicaAbsent,
    &module::Run,
    &module::Wait,
    &test::Nop,
    &test::SucceedWithoutChanges,
    &test::SucceedWithChanges,
    &test::FailWithoutChanges,
    &test::FailWithChanges,
    &test::ShowNotification,
    &test::ConfigurableTestState,
    &test::CheckPillar,
];

/// The state function `state.fun`.
pub fn find(state: &str, fun: &str) -> Option<&'static dyn State> {
    STATES
        .iter()
        .copied()
        .find(|candidate| candidate.spec().state == state && candidate.spec().fun == fun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_documented() {
        let mut seen = std::collections::BTreeSet::new();
        for state in STATES {
            let spec = state.spec();
            assert!(seen.insert(spec.name()), "{} stands twice", spec.name());
            assert!(spec.doc.len() > 20, "{} has no reference text", spec.name());
            for param in spec.params {
                assert!(
                    !param.doc.is_empty(),
                    "{}.{} is not documented",
                    spec.name(),
                    param.name
                );
            }
        }
    }
}
