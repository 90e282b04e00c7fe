//! `health`: what is asked, and when.

use crate::document::checks::at_least;
use crate::document::decode::{At, Cx, written};
use crate::document::facts::Facts;
use crate::document::scalar::{Argument, Int, Line, Port, RepoPath};
use crate::model::{Check, Health, Millis};

written! {
    /// Health check: exactly one of script, command, tcp and http.
    struct HealthDoc {
        /// A script of the repository, run inside the workload by its `/bin/sh`.
        optional "script" script: RepoPath,
        /// A command in the workload.
        optional "command" command: Vec<At<Argument>>,
        /// A TCP port of the workload that must accept.
        optional "tcp" tcp: Port,
        /// An HTTP request that must be answered with a status below 400.
        optional "http" http: HttpDoc,
        /// Between two checks; 30s by default.
        optional "interval" interval: Millis,
        /// Longest time of one check; 10s by default.
        optional "timeout" timeout: Millis,
        /// Failures in a row that make it unhealthy; 3 by default.
        optional "retries" retries: Int<1, 1000>,
        /// After the start, during which failures do not count; 30s by default.
        optional "startPeriod" start_period: Millis,
    }
}

written! {
    /// An HTTP request.
    struct HttpDoc {
        /// Port of the workload.
        required "port" port: Port,
        /// Path of the request; `/` by default.
        optional "path" path: Line,
    }
}

/// The health check that `doc` says.
pub(super) fn health(doc: HealthDoc, facts: &mut Facts<'_>, cx: &mut Cx<'_>) -> Option<Health> {
    let (default_interval, default_timeout) = (Millis(30_000), Millis(10_000));
    if let Some(interval) = &doc.interval {
        at_least(interval, 1000, "1s", cx);
    }
    if let Some(timeout) = &doc.timeout {
        at_least(timeout, 100, "100ms", cx);
    }
    let interval = doc
        .interval
        .as_ref()
        .map_or(default_interval, |at| at.value);
    let timeout = match &doc.timeout {
        Some(timeout) if timeout.value > interval => {
            let text = crate::document::scalar::format_millis(interval.0);
            let message = format!("a check may not take longer than the interval, {text}");
            cx.error_help(
                timeout.span,
                "health-timeout",
                message,
                format!("write `{text}` or less"),
            );
            timeout.value
        }
        Some(timeout) => timeout.value,
        None => default_timeout.min(interval),
    };
    let retries = doc.retries.as_ref().map_or(3, |at| at.value.0);
    let start_period = doc
        .start_period
        .as_ref()
        .map_or(Millis(30_000), |at| at.value);
    let check = check(doc, facts, cx)?;
    Some(Health {
        check,
        interval,
        timeout,
        retries,
        start_period,
    })
}

fn check(doc: HealthDoc, facts: &mut Facts<'_>, cx: &mut Cx<'_>) -> Option<Check> {
    let written = [
        doc.script.as_ref().map(|at| at.span),
        doc.command.as_ref().map(|at| at.span),
        doc.tcp.as_ref().map(|at| at.span),
        doc.http.as_ref().map(|at| at.span),
    ];
    let mut written = written.into_iter().flatten();
    match (written.next(), written.next()) {
        // What is asked, but wrong, has its finding already.
        (None, _) if !doc.clean => return None,
        (None, _) => {
            let help = "write one of `script`, `command`, `tcp` and `http`".to_owned();
            cx.error_help(
                doc.span,
                "health-check",
                "the health check asks nothing",
                help,
            );
            return None;
        }
        (Some(_), Some(second)) => {
            let help = "keep one of `script`, `command`, `tcp` and `http`".to_owned();
            cx.error_help(
                second,
                "health-check",
                "a health check asks exactly one thing",
                help,
            );
            return None;
        }
        _ => {}
    }
    if let Some(script) = doc.script {
        return facts.file(&script, cx).map(Check::Script);
    }
    if let Some(command) = doc.command {
        return super::argv(command, cx).map(Check::Command);
    }
    if let Some(tcp) = doc.tcp {
        return Some(Check::Tcp(tcp.value.port()));
    }
    http(doc.http?.value, cx)
}

fn http(doc: HttpDoc, cx: &mut Cx<'_>) -> Option<Check> {
    let path = match doc.path {
        None => "/".to_owned(),
        Some(path)
            if path.value.0.starts_with('/')
                && path.value.0.bytes().all(|b| b.is_ascii_graphic()) =>
        {
            path.value.0
        }
        Some(path) => {
            let message = format!("`{}` is not the path of a request", path.value.0);
            cx.error_help(
                path.span,
                "http-path",
                message,
                "write a path such as `/health`".to_owned(),
            );
            return None;
        }
    };
    Some(Check::Http {
        port: doc.port?.value.port(),
        path,
    })
}
