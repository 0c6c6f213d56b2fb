//! Probes, hooks of a container's life cycle, and the handlers of both.

use super::pod::Context;
use crate::validate::format;
use crate::validate::report::{At, Report};
use coracle_apimachinery::Value;
use coracle_apimachinery::field::Path;

/// Probes of a container.
pub(crate) fn all(report: &mut Report, container: &At<'_>, context: &Context<'_>) {
    for (name, is_readiness) in [("livenessProbe", false), ("readinessProbe", true), ("startupProbe", false)] {
        let probe = container.get(name);
        if !probe.is_set() {
            continue;
        }
        check(report, &probe, context);
        let threshold = probe.get("successThreshold");
        if !is_readiness && threshold.int() != 1 {
            report.invalid_number(&threshold.path, threshold.int(), "must be 1");
        }
        let grace = probe.get("terminationGracePeriodSeconds");
        if is_readiness && grace.is_set() {
            report.invalid_json(&grace.path, grace.value, "must not be set for readinessProbes");
        }
    }
}

fn check(report: &mut Report, probe: &At<'_>, context: &Context<'_>) {
    handler(report, probe, &["exec", "httpGet", "tcpSocket", "grpc"], context);
    for name in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
        report.not_negative(&probe.get(name));
    }
    let grace = probe.get("terminationGracePeriodSeconds");
    if let Some(seconds) = grace.some_int().filter(|seconds| *seconds <= 0) {
        report.invalid_number(&grace.path, seconds, "must be greater than 0");
    }
}

/// Hooks of a container's life cycle.
pub(crate) fn lifecycle(report: &mut Report, at: &At<'_>, context: &Context<'_>) {
    for hook in ["postStart", "preStop"] {
        let hook = at.get(hook);
        if hook.is_set() {
            handler(report, &hook, &["exec", "httpGet", "tcpSocket", "sleep"], context);
        }
    }
    let signal = at.get("stopSignal");
    if signal.is_set() {
        match context.os {
            None => report.forbidden(&signal.path, "may not be set for containers with empty `spec.os.name`"),
            Some("windows") => report.one_of(&signal, &["SIGKILL", "SIGTERM"]),
            Some("linux") => report.one_of(&signal, &SIGNALS),
            Some(_) => {}
        }
    }
}

fn handler(report: &mut Report, at: &At<'_>, kinds: &[&str], context: &Context<'_>) {
    let mut found = false;
    for kind in kinds {
        let handler = at.get(kind);
        if !handler.is_set() {
            continue;
        }
        if found {
            report.forbidden(&handler.path, "may not specify more than 1 handler type");
            continue;
        }
        found = true;
        match *kind {
            "exec" => {
                if handler.get("command").len() == 0 {
                    report.required(&handler.path.child("command"), "");
                }
            }
            "httpGet" => http(report, &handler),
            "tcpSocket" => port(report, handler.member("port"), &handler.path.child("port")),
            "grpc" => {
                let number = handler.get("port");
                report.number_complaints(&number.path, number.int(), format::port_number(number.int()));
            }
            _ => sleep(report, &handler, context.grace),
        }
    }
    if !found {
        report.required(&at.path, "must specify a handler type");
    }
}

fn sleep(report: &mut Report, at: &At<'_>, grace: Option<i64>) {
    let seconds = at.get("seconds").int();
    if let Some(grace) = grace
        && !(0..=grace).contains(&seconds)
    {
        let detail = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        report.invalid_number(&at.path, seconds, detail);
    }
}

fn http(report: &mut Report, at: &At<'_>) {
    report.required_text(&at.get("path"));
    port(report, at.member("port"), &at.path.child("port"));
    report.one_of(&at.get("scheme"), &["HTTP", "HTTPS"]);
    for header in at.get("httpHeaders").items() {
        let name = header.text_of("name");
        report.complaints(&at.path.child("httpHeaders"), name, format::header_name(name));
    }
}

/// A port that is a number or a name; absent is 0.
pub(crate) fn port(report: &mut Report, value: Option<&Value>, path: &Path) {
    match value {
        Some(Value::String(name)) => report.complaints(path, name, format::port_name(name)),
        other => {
            let number = other.and_then(Value::as_int).unwrap_or_default();
            report.number_complaints(path, number, format::port_number(number));
        }
    }
}

/// Sorted as upstream prints them.
const SIGNALS: [&str; 65] = [
    "SIGABRT",
    "SIGALRM",
    "SIGBUS",
    "SIGCHLD",
    "SIGCLD",
    "SIGCONT",
    "SIGFPE",
    "SIGHUP",
    "SIGILL",
    "SIGINT",
    "SIGIO",
    "SIGIOT",
    "SIGKILL",
    "SIGPIPE",
    "SIGPOLL",
    "SIGPROF",
    "SIGPWR",
    "SIGQUIT",
    "SIGRTMAX",
    "SIGRTMAX-1",
    "SIGRTMAX-10",
    "SIGRTMAX-11",
    "SIGRTMAX-12",
    "SIGRTMAX-13",
    "SIGRTMAX-14",
    "SIGRTMAX-2",
    "SIGRTMAX-3",
    "SIGRTMAX-4",
    "SIGRTMAX-5",
    "SIGRTMAX-6",
    "SIGRTMAX-7",
    "SIGRTMAX-8",
    "SIGRTMAX-9",
    "SIGRTMIN",
    "SIGRTMIN+1",
    "SIGRTMIN+10",
    "SIGRTMIN+11",
    "SIGRTMIN+12",
    "SIGRTMIN+13",
    "SIGRTMIN+14",
    "SIGRTMIN+15",
    "SIGRTMIN+2",
    "SIGRTMIN+3",
    "SIGRTMIN+4",
    "SIGRTMIN+5",
    "SIGRTMIN+6",
    "SIGRTMIN+7",
    "SIGRTMIN+8",
    "SIGRTMIN+9",
    "SIGSEGV",
    "SIGSTKFLT",
    "SIGSTOP",
    "SIGSYS",
    "SIGTERM",
    "SIGTRAP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGUSR1",
    "SIGUSR2",
    "SIGVTALRM",
    "SIGWINCH",
    "SIGXCPU",
    "SIGXFSZ",
];
