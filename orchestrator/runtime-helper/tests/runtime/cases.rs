//! The cases, each with what is measured in the container.

mod ends;
mod execs;
mod filters;
mod firsts;

use crate::rig::Rig;

/// A case.
pub(crate) type Case = fn(&Rig);

/// All of them.
pub(crate) const ALL: [(&str, Case); 27] = [
    ("exit_codes", firsts::exit_codes),
    ("environment_and_folder", firsts::environment_and_folder),
    ("user_and_capabilities", firsts::user_and_capabilities),
    ("mounts", firsts::mounts),
    ("read_only_root", firsts::read_only_root),
    ("missing_programs", firsts::missing_programs),
    ("bad_configurations", firsts::bad_configurations),
    ("terminal", firsts::terminal),
    ("shared_namespaces", firsts::shared_namespaces),
    ("streams_and_signals", firsts::streams_and_signals),
    ("exec_is_complete", execs::exec_is_complete),
    ("exec_terminal", execs::exec_terminal),
    ("exec_failures", execs::exec_failures),
    ("exec_in_user_namespace", execs::exec_in_user_namespace),
    ("exec_leaves_nothing", execs::exec_leaves_nothing),
    ("exec_follows_busy_group", execs::exec_follows_busy_group),
    ("exec_in_ended_container", execs::exec_in_ended_container),
    ("killed_after_failed_exec", execs::killed_after_failed_exec),
    ("filter_of_first_and_exec", filters::filter_of_first_and_exec),
    ("filter_with_privileges", filters::filter_with_privileges),
    ("filter_of_other_users", filters::filter_of_other_users),
    ("strict_filter", filters::strict_filter),
    ("forty_processes", ends::forty_processes),
    ("nested_groups", ends::nested_groups),
    ("killed_create", ends::killed_create),
    ("delete_of_anything", ends::delete_of_anything),
    ("states", ends::states),
];
