//! Jobs and cron jobs.

use super::duration::human_duration;
use super::row::{NONE, Row, UNSET, containers, int_at, is_true, items_at, seconds_between, text, time};
use super::{AGE, Column, NAME, Printer, printer, selector};
use coracle_apimachinery::Value;

pub(super) const PRINTERS: &[Printer] =
    &[printer("batch", "jobs", JOB, job), printer("batch", "cronjobs", CRON_JOB, cron_job)];

const JOB: &[Column] = &[
    NAME,
    Column::text("Status"),
    Column::text("Completions"),
    Column::text("Duration"),
    AGE,
    Column::wide("Containers"),
    Column::wide("Images"),
    Column::wide("Selector"),
];

/// Conditions that are the status of a job while they are true, the first of them first. That the job is ending ranks
/// between the two lists.
const FINISHED: [&str; 2] = ["Complete", "Failed"];
const UNFINISHED: [&str; 3] = ["Suspended", "FailureTarget", "SuccessCriteriaMet"];

fn job(row: &Row<'_>) -> Vec<Value> {
    let [names, images] = containers(row.object.at(&["spec", "template", "spec"]));
    vec![
        row.name(),
        text(job_status(row)),
        text(completions(row.object)),
        text(job_duration(row)),
        row.age(),
        names,
        images,
        selector::selector_cell(row.object.at(&["spec", "selector"])),
    ]
}

fn job_status(row: &Row<'_>) -> &'static str {
    let conditions = row.items(&["status", "conditions"]);
    let among = |statuses: &[&'static str]| statuses.iter().copied().find(|status| is_true(conditions, status));
    among(&FINISHED)
        .or_else(|| row.is_ending().then_some("Terminating"))
        .or_else(|| among(&UNFINISHED))
        .unwrap_or("Running")
}

/// How many pods have succeeded of how many; a job without that number needs one success of any of its pods.
fn completions(job: &Value) -> String {
    let succeeded = int_at(job, &["status", "succeeded"]);
    let wanted = job.at(&["spec", "completions"]).and_then(Value::as_int);
    match (wanted, int_at(job, &["spec", "parallelism"])) {
        (Some(wanted), _) => format!("{succeeded}/{wanted}"),
        (None, parallelism @ 2..) => format!("{succeeded}/1 of {parallelism}"),
        (None, _) => format!("{succeeded}/1"),
    }
}

/// How long the job took, or has taken until now.
fn job_duration(row: &Row<'_>) -> String {
    let status = |member: &str| time(row.object.at(&["status", member]));
    let until = status("completionTime").unwrap_or(row.now);
    status("startTime").map(|start| human_duration(seconds_between(start, until))).unwrap_or_default()
}

const CRON_JOB: &[Column] = &[
    NAME,
    Column::text("Schedule"),
    Column::text("Timezone"),
    Column::boolean("Suspend"),
    Column::integer("Active"),
    Column::text("Last Schedule"),
    AGE,
    Column::wide("Containers"),
    Column::wide("Images"),
    Column::wide("Selector"),
];

fn cron_job(row: &Row<'_>) -> Vec<Value> {
    let template = row.object.at(&["spec", "jobTemplate", "spec"]);
    let [names, images] = containers(template.and_then(|template| template.at(&["template", "spec"])));
    let suspend = match row.object.at(&["spec", "suspend"]).and_then(Value::as_bool) {
        Some(true) => "True",
        Some(false) => "False",
        None => UNSET,
    };
    let last = row.object.at(&["status", "lastScheduleTime"]);
    vec![
        row.name(),
        row.text(&["spec", "schedule"]),
        row.text_or(&["spec", "timeZone"], NONE),
        text(suspend),
        super::row::count(items_at(row.object, &["status", "active"]).len()),
        text(last.map_or_else(|| NONE.to_owned(), |last| row.since(Some(last)))),
        row.age(),
        names,
        images,
        selector::selector_cell(template.and_then(|template| template.at(&["selector"]))),
    ]
}
