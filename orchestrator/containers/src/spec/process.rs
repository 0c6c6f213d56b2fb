//! The first process of a container, which is also what processes of exec are made from.

use coracle_client::object;
use oci_spec::runtime::{
    Capabilities, Capability, LinuxCapabilities, PosixRlimit, PosixRlimitBuilder, PosixRlimitType, Process, User,
};

use super::{Inputs, capabilities::capabilities, command, security};

/// How many files a process may open: what the services of container runtimes set.
const FILES: u64 = 1 << 20;

/// The first process.
///
/// # Errors
/// The pod or its image asks for what cannot be.
pub fn process(inputs: &Inputs<'_>) -> Result<Process, String> {
    let tty = object::flag(inputs.container, &["tty"]);
    let args = command::args(inputs.container, inputs.image, inputs.env)?;
    let env = command::env(inputs.image, inputs.env, inputs.hostname, &inputs.user.home, tty);
    let mut user = User::default();
    user.set_uid(inputs.user.uid)
        .set_gid(inputs.user.gid)
        .set_umask(None)
        .set_additional_gids(Some(inputs.user.groups.clone()))
        .set_username(None);
    let mut process = Process::default();
    process
        .set_terminal(Some(tty))
        .set_console_size(None)
        .set_user(user)
        .set_args(Some(args))
        .set_command_line(None)
        .set_env(Some(env.into_iter().map(|(name, value)| format!("{name}={value}")).collect()))
        .set_cwd(command::cwd(inputs.container, inputs.image).into())
        .set_capabilities(Some(sets(&capabilities(inputs.container, inputs.last_capability)?)?))
        .set_rlimits(Some(vec![files(inputs.open_files)?]))
        // libcontainer looks at the presence of the member, not at its value.
        .set_no_new_privileges(security::no_new_privileges(inputs.container).then_some(true))
        .set_apparmor_profile(None)
        .set_oom_score_adj(Some(inputs.oom_score_adj))
        .set_selinux_label(None)
        .set_io_priority(None)
        .set_scheduler(None)
        .set_exec_cpu_affinity(None);
    Ok(process)
}

fn files(most: u64) -> Result<PosixRlimit, String> {
    let files = FILES.min(most);
    let limit = PosixRlimitBuilder::default().typ(PosixRlimitType::RlimitNofile).soft(files).hard(files);
    limit.build().map_err(|error| error.to_string())
}

/// As containerd does: nothing is inherited, nothing ambient.
fn sets(names: &[String]) -> Result<LinuxCapabilities, String> {
    let parsed: Result<Capabilities, String> = names
        .iter()
        .map(|name| {
            let short = name.strip_prefix("CAP_").unwrap_or(name);
            short.parse::<Capability>().map_err(|_| format!("unknown capability {name:?}"))
        })
        .collect();
    let set = parsed?;
    let mut capabilities = LinuxCapabilities::default();
    capabilities
        .set_bounding(Some(set.clone()))
        .set_effective(Some(set.clone()))
        .set_permitted(Some(set))
        .set_inheritable(Some(Capabilities::new()))
        .set_ambient(Some(Capabilities::new()));
    Ok(capabilities)
}
