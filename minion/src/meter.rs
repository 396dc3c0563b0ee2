//! What a run costs the host: peak memory and CPU time of this process and the programs it waited for.

use std::fs;

/// Peak resident memory of this process in KiB, as the kernel counts it (`VmHWM`).
pub(crate) fn peak_rss_kib() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// CPU time in milliseconds: this process to the nanosecond, programs it waited for to the kernel's tick.
pub(crate) fn cpu_ms() -> u64 {
    let own = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let own = own.tv_sec.unsigned_abs() * 1000 + own.tv_nsec.unsigned_abs() / 1_000_000;
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Fields after the command name in brackets: the 14th and 15th are the children's user and system ticks.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = fields
        .split_whitespace()
        .skip(13)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    own + ticks * 1000 / rustix::param::clock_ticks_per_second().max(1)
}
