//! The crate on a real kernel: groups, kill, freeze, removal and the device program on any cgroup v2 tree, limits and
//! out-of-memory events where there is a full one. Needs root.
//!
//! Every case runs in a process and a mount namespace of its own, where the cgroup v2 hierarchy is mounted anew, and in a
//! group of its own, which is removed at the end. Cases that need controllers run when `CORACLE_CGROUP_ROOT` names a
//! group of a full tree that holds no processes; otherwise they are not run, not counted and named as such.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test: it may fail loudly, starts its own helpers and prints results as libtest does"
)]

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use coracle_cgroups::devices::{Access, DEFAULT, Kind, Rule};
use coracle_cgroups::{
    Bound, ContainerId, CpuMax, Error, Group, Limits, Mode, PodUid, Quality, Tree, Watched, Watcher, levels,
};
use rustix::fs::{CWD, FileType, makedev, mknodat};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};
use rustix::thread::UnshareFlags;

/// Long enough for a loaded machine; nothing waits that long when all is well.
const WITHIN: Duration = Duration::from_secs(20);

const FULL_ROOT: &str = "CORACLE_CGROUP_ROOT";

type Case = (&'static str, fn(&Tree));

/// On any tree.
const ANYWHERE: [Case; 12] = [
    ("the_tree_is_made_twice_and_found_again", tree_is_made),
    ("a_process_joins_and_the_end_of_the_last_one_is_told", join_and_wait),
    ("forty_processes_die_at_once", kill_forty),
    ("groups_that_a_payload_made_are_removed", nested_removal),
    ("removal_waits_for_processes_and_gives_up_in_time", removal_is_bounded),
    ("frozen_processes_stand_and_can_be_killed", freeze),
    ("a_watcher_tells_which_group_changed", watcher),
    ("a_disk_cannot_be_opened_and_null_can", devices_are_guarded),
    ("device_rules_are_replaced_in_place", devices_are_replaced),
    ("without_the_right_to_load_programs_the_error_is_loud", devices_without_right),
    ("limits_are_refused_in_group_only_mode", limits_are_refused),
    ("figures_that_are_not_there_are_absent", stats_are_absent),
];

/// On a full tree.
const FULL: [Case; 6] = [
    ("limits_are_in_force_and_updated_in_place", limits_in_force),
    ("controllers_reach_every_level", controllers_reach),
    ("out_of_memory_is_told_and_readable_after_death", out_of_memory),
    ("a_pod_has_no_more_processes_than_it_may", pids),
    ("exec_finds_the_group_of_a_payload_with_groups_of_its_own", join_beside),
    ("figures_are_read", stats_are_read),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["case", name] => run_case(name),
        ["wait"] => wait_for_end(),
        ["crowd", number] => crowd(number.parse().unwrap()),
        ["guard", root] => guard_without_right(root),
        ["in", group, rest @ ..] => {
            fs::write(format!("{group}/cgroup.procs"), "0").unwrap();
            println!("{}", inside(rest));
            ExitCode::SUCCESS
        }
        _ if std::process::id() == 1 => guest(),
        _ => run_all(&arguments),
    }
}

fn run_all(arguments: &[String]) -> ExitCode {
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let full = std::env::var_os(FULL_ROOT).is_some();
    let known: Vec<&str> = ANYWHERE.iter().chain(if full { &FULL[..] } else { &[] }).map(|case| case.0).collect();
    let cases: Vec<&str> =
        known.iter().copied().filter(|name| filter.is_none_or(|f| name.contains(f.as_str()))).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        cases.iter().for_each(|name| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    assert!(rustix::process::geteuid().is_root(), "these tests make cgroups and mounts: run them as root");
    println!("\nrunning {} tests", cases.len());
    let failed = cases.iter().filter(|name| {
        let passed = me().args(["case", name]).status().unwrap().success();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        !passed
    });
    let failed = failed.count();
    if !full {
        println!("not run: {} cases that need a full cgroup v2 tree; name one in {FULL_ROOT}", FULL.len());
    }
    let (word, passed) = (if failed == 0 { "ok" } else { "FAILED" }, cases.len() - failed);
    let out = known.len() - cases.len();
    println!("\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {out} filtered out\n");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The group of one case; whatever happens in it, it is gone afterwards.
struct Place(PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        let tree = Tree::open(&self.0, Mode::GroupOnly).unwrap();
        if let Err(error) = tree.root().destroy(WITHIN) {
            println!("cleaning up: {error}");
        }
    }
}

fn run_case(name: &str) -> ExitCode {
    unshare(UnshareFlags::NEWNS);
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
    let folder = format!("/tmp/coracle-cgroups-{}", std::process::id());
    fs::create_dir(&folder).unwrap();
    mount("tmpfs", folder.as_str(), "tmpfs", MountFlags::empty(), None).unwrap();
    let point = format!("{folder}/cgroup");
    fs::create_dir(&point).unwrap();
    mount("cgroup2", point.as_str(), "cgroup2", MountFlags::empty(), None).unwrap();
    let (mode, above) = if ANYWHERE.iter().any(|case| case.0 == name) {
        (Mode::GroupOnly, PathBuf::from(&point))
    } else {
        (Mode::Full, PathBuf::from(std::env::var_os(FULL_ROOT).unwrap()))
    };
    let place = Place(above.join(format!("coracle-test-{}", std::process::id())));
    let outcome = std::panic::catch_unwind(|| {
        if mode == Mode::Full {
            // The group above must pass its controllers on to the place of this case.
            let offered = fs::read_to_string(above.join("cgroup.controllers")).unwrap();
            for controller in offered.split_whitespace() {
                fs::write(above.join("cgroup.subtree_control"), format!("+{controller}")).unwrap();
            }
        }
        fs::create_dir(&place.0).unwrap();
        let tree = Tree::open(&place.0, mode).unwrap();
        std::env::set_current_dir(&folder).unwrap();
        let case = ANYWHERE.iter().chain(&FULL).find(|case| case.0 == name).unwrap();
        (case.1)(&tree);
    });
    drop(place);
    std::env::set_current_dir("/").unwrap();
    unmount(point.as_str(), UnmountFlags::DETACH).unwrap();
    unmount(folder.as_str(), UnmountFlags::DETACH).unwrap();
    fs::remove_dir(&folder).unwrap();
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Process 1 of a guest whose initial file system holds this program as `/init`, and `/loop.ko` where the kernel has no
/// block device built in: mounts what is needed, runs every case on a full tree, and switches the machine off.
fn guest() -> ExitCode {
    for (kind, point) in [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev"), ("tmpfs", "/tmp")] {
        fs::create_dir_all(point).unwrap();
        mount(kind, point, kind, MountFlags::empty(), None).unwrap();
    }
    fs::create_dir_all("/dev/pts").unwrap();
    mount("devpts", "/dev/pts", "devpts", MountFlags::empty(), Some(c"ptmxmode=666")).unwrap();
    let root = Path::new("/sys/fs/cgroup");
    let options = Some(c"nsdelegate,memory_recursiveprot");
    mount("cgroup2", root, "cgroup2", MountFlags::empty(), options).unwrap();
    if let Ok(module) = fs::File::open("/loop.ko") {
        rustix::system::finit_module(&module, c"max_loop=1", 0).unwrap();
    }
    for group in ["init", "test"] {
        fs::create_dir(root.join(group)).unwrap();
    }
    fs::write(root.join("init/cgroup.procs"), "0").unwrap();
    for controller in fs::read_to_string(root.join("cgroup.controllers")).unwrap().split_whitespace() {
        fs::write(root.join("cgroup.subtree_control"), format!("+{controller}")).unwrap();
    }
    me().env(FULL_ROOT, root.join("test")).arg("").status().unwrap();
    rustix::system::reboot(rustix::system::RebootCommand::PowerOff).unwrap();
    ExitCode::FAILURE
}

#[expect(deprecated, reason = "the safe form is right here: this process has one thread and shares no descriptors")]
fn unshare(flags: UnshareFlags) {
    rustix::thread::unshare(flags).unwrap();
}

// Helpers.

fn uid() -> PodUid {
    PodUid::new("0b6f5d1c-1c9e-4d7b-a9a6-0d7e6e1f0a11").unwrap()
}

fn container(tree: &Tree, id: &str) -> Group {
    tree.prepare().unwrap();
    tree.make_pod(Quality::Burstable, &uid()).unwrap();
    tree.make_container(Quality::Burstable, &uid(), &ContainerId::new(id).unwrap()).unwrap()
}

/// This program, to be one of its own helpers: there is no shell where these tests run.
fn me() -> Command {
    Command::new(std::env::current_exe().unwrap())
}

/// A process that waits until it is killed, or until the pipe to it is closed.
fn waiting() -> Child {
    me().arg("wait").stdin(Stdio::piped()).spawn().unwrap()
}

/// As [`waiting`], in a group.
fn sleeper(group: &Group) -> Child {
    let child = waiting();
    group.join(child.id()).unwrap();
    child
}

fn wait_for_end() -> ExitCode {
    let mut input = Vec::new();
    io::stdin().read_to_end(&mut input).unwrap();
    ExitCode::SUCCESS
}

/// Starts many processes that wait, says so, and waits itself.
fn crowd(number: usize) -> ExitCode {
    let mut line = String::new();
    io::stdin().read_line(&mut line).unwrap();
    let children: Vec<Child> = (0..number).map(|_| me().arg("wait").spawn().unwrap()).collect();
    println!("{}", children.len());
    wait_for_end()
}

/// Runs a helper in a group, which it joins before it does anything else, and returns what it says.
fn helper(group: &Group, arguments: &[&str]) -> String {
    helper_in(group.path(), arguments)
}

fn helper_in(group: &Path, arguments: &[&str]) -> String {
    let output = me().arg("in").arg(group).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// What a helper does in its group, and what it says about it.
fn inside(arguments: &[&str]) -> String {
    match arguments {
        ["open", path, mode] => try_open(path, mode),
        ["make", path] => {
            let made = mknodat(CWD, *path, FileType::BlockDevice, 0o600.into(), makedev(8, 0));
            made.map_or_else(|error| error.raw_os_error().to_string(), |()| "ok".to_owned())
        }
        ["fork"] => match me().arg("wait").stdin(Stdio::piped()).spawn() {
            Ok(mut child) => {
                drop(child.stdin.take());
                child.wait().unwrap();
                "ok".to_owned()
            }
            Err(error) => error.raw_os_error().unwrap().to_string(),
        },
        ["eat", megabytes] => {
            let food = vec![1_u8; megabytes.parse::<usize>().unwrap() << 20];
            food.iter().map(|byte| usize::from(*byte)).sum::<usize>().to_string()
        }
        other => panic!("no helper does {other:?}"),
    }
}

/// `ok`, or the number of the error.
fn try_open(path: &str, mode: &str) -> String {
    let opened = OpenOptions::new().read(mode.contains('r')).write(mode.contains('w')).open(path);
    opened.map_or_else(|error| error.raw_os_error().unwrap().to_string(), |_| "ok".to_owned())
}

fn text(group: &Group, file: &str) -> String {
    fs::read_to_string(group.path().join(file)).unwrap().trim().to_owned()
}

/// Time of the operation in microseconds, for the record.
fn measured<T>(what: &str, operation: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = operation();
    println!("measured: {what}: {} us", begun.elapsed().as_micros());
    result
}

// Cases on any tree.

fn tree_is_made(tree: &Tree) {
    tree.prepare().unwrap();
    tree.prepare().unwrap();
    let other = PodUid::new("other").unwrap();
    for (quality, uid) in
        [(Quality::Guaranteed, uid()), (Quality::Burstable, other.clone()), (Quality::BestEffort, other)]
    {
        let pod = measured("make a pod's group", || tree.make_pod(quality, &uid)).unwrap();
        let id = ContainerId::new("abc").unwrap();
        let made = measured("make a container's group", || tree.make_container(quality, &uid, &id)).unwrap();
        assert!(pod.exists() && made.exists());
        assert!(!text(&pod, "cgroup.max.descendants").contains("max"));
        let middle = quality.folder().map_or_else(String::new, |folder| format!("/{folder}"));
        assert_eq!(tree.oci_path(&made).unwrap(), format!("/kubepods{middle}/{}/abc", uid.folder()));
    }
    let found = tree.list_pods().unwrap();
    assert_eq!(
        found.iter().map(|pod| pod.0).collect::<Vec<_>>(),
        [Quality::Guaranteed, Quality::Burstable, Quality::BestEffort]
    );
    assert_eq!(found[0].1, uid());
    assert!(tree.shims().exists());
    measured("remove a pod with one container", || tree.pod(Quality::Guaranteed, &uid()).destroy(WITHIN)).unwrap();
    assert!(!tree.pod(Quality::Guaranteed, &uid()).exists());
    tree.pod(Quality::Guaranteed, &uid()).destroy(WITHIN).unwrap();
}

fn join_and_wait(tree: &Tree) {
    let group = container(tree, "abc");
    assert!(!group.events().unwrap().unwrap().populated);
    let mut child = sleeper(&group);
    assert_eq!(group.processes().unwrap(), [child.id()]);
    assert!(group.events().unwrap().unwrap().populated);
    assert!(matches!(group.wait_empty(Duration::from_millis(30)), Err(Error::Late { state: "empty", .. })));
    assert_eq!(group.join(u32::MAX >> 1).unwrap_err().errno(), Some(3), "no such process");
    drop(child.stdin.take());
    // Not reaped yet: a dead process does not count.
    group.wait_empty(WITHIN).unwrap();
    child.wait().unwrap();
    let nowhere = tree.container(Quality::Guaranteed, &uid(), &ContainerId::new("none").unwrap());
    nowhere.wait_empty(WITHIN).unwrap();
    nowhere.kill().unwrap();
    assert!(nowhere.join(1).is_err());
}

fn kill_forty(tree: &Tree) {
    let group = container(tree, "abc");
    let mut first = me().args(["crowd", "39"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    group.join(first.id()).unwrap();
    let mut input = first.stdin.take().unwrap();
    input.write_all(b"go\n").unwrap();
    let mut line = String::new();
    BufReader::new(first.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "39\n");
    assert_eq!(group.processes().unwrap().len(), 40);
    measured("kill 40 processes and remove their group", || group.destroy(WITHIN)).unwrap();
    assert!(!group.exists());
    first.wait().unwrap();
}

fn nested_removal(tree: &Tree) {
    let group = container(tree, "abc");
    for branch in ["init.scope", "system.slice/a.service", "system.slice/b.service", "docker/1/2/3/4/5/6/7/8"] {
        fs::create_dir_all(group.path().join(branch)).unwrap();
    }
    for number in 0..200 {
        fs::create_dir(group.path().join("docker").join(number.to_string() + "x")).unwrap();
    }
    let mut deep = waiting();
    fs::write(group.path().join("docker/1/2/3/4/5/6/7/8/cgroup.procs"), deep.id().to_string()).unwrap();
    assert!(group.events().unwrap().unwrap().populated, "those below count");
    measured("kill one process and remove 213 nested groups", || group.destroy(WITHIN)).unwrap();
    assert!(!group.exists());
    deep.wait().unwrap();
    // The kernel keeps a payload from making levels without end.
    let group = container(tree, "def");
    let mut path = group.path().to_owned();
    let depth = (0..200).take_while(|_| {
        path.push("x");
        fs::create_dir(&path).is_ok()
    });
    assert_eq!(depth.count(), 47, "48 levels below the pod, one of which is the container");
    tree.pod(Quality::Burstable, &uid()).destroy(WITHIN).unwrap();
    assert!(!tree.pod(Quality::Burstable, &uid()).exists());
}

fn removal_is_bounded(tree: &Tree) {
    let group = container(tree, "abc");
    let mut child = sleeper(&group);
    let begun = Instant::now();
    assert!(matches!(group.remove(Duration::from_millis(100)), Err(Error::Late { .. })));
    assert!(begun.elapsed() < WITHIN && group.exists(), "nobody was killed");
    drop(child.stdin.take());
    group.remove(WITHIN).unwrap();
    assert!(!group.exists());
    child.wait().unwrap();
    // Where no pod's bound holds, the walk itself stops.
    let mut path = tree.root().path().to_owned();
    for _ in 0..60 {
        path.push("x");
        fs::create_dir(&path).unwrap();
    }
    assert!(matches!(tree.root().remove(WITHIN), Err(Error::TooMany { .. })));
    while path.file_name().is_some_and(|name| name == "x") {
        fs::remove_dir(&path).unwrap();
        path.pop();
    }
}

fn freeze(tree: &Tree) {
    let group = container(tree, "abc");
    let mut child = sleeper(&group);
    measured("freeze", || group.freeze(WITHIN)).unwrap();
    drop(child.stdin.take());
    assert!(group.wait_empty(Duration::from_millis(50)).is_err(), "a frozen process does not even end");
    measured("thaw", || group.thaw(WITHIN)).unwrap();
    group.wait_empty(WITHIN).unwrap();
    child.wait().unwrap();
    let mut child = sleeper(&group);
    group.freeze(WITHIN).unwrap();
    group.destroy(WITHIN).unwrap();
    child.wait().unwrap();
}

fn watcher(tree: &Tree) {
    let (one, two) = (container(tree, "one"), container(tree, "two"));
    let mut watcher = Watcher::new().unwrap();
    watcher.watch(&one, Watched::Population, "one").unwrap();
    watcher.watch(&two, Watched::Population, "two").unwrap();
    assert!(watcher.wait(Instant::now() + Duration::from_millis(20)).unwrap().is_empty());
    let mut child = sleeper(&two);
    assert_eq!(watcher.wait(Instant::now() + WITHIN).unwrap(), ["two"]);
    drop(child.stdin.take());
    assert_eq!(watcher.wait(Instant::now() + WITHIN).unwrap(), ["two"]);
    child.wait().unwrap();
    watcher.forget(&"two");
    drop(sleeper(&two).stdin.take());
    let mut child = sleeper(&one);
    assert_eq!(watcher.wait(Instant::now() + WITHIN).unwrap(), ["one"]);
    one.kill().unwrap();
    child.wait().unwrap();
    let missing = tree.container(Quality::Guaranteed, &uid(), &ContainerId::new("none").unwrap());
    assert!(watcher.watch(&missing, Watched::Population, "none").is_err());
}

/// Makes the node `disk` for some block device that may be opened here without a program: not every machine lets its own
/// disk be opened. Nothing is read from it or written to it.
fn make_disk() -> (u32, u32) {
    let mut numbers: Vec<(u32, u32)> = fs::read_dir("/sys/block")
        .unwrap()
        .filter_map(|entry| {
            let number = fs::read_to_string(entry.unwrap().path().join("dev")).unwrap();
            let (major, minor) = number.trim().split_once(':')?;
            Some((major.parse().unwrap(), minor.parse().unwrap()))
        })
        .collect();
    numbers.sort_unstable();
    for number in numbers {
        make_node("disk", FileType::BlockDevice, number);
        if ["r", "w"].iter().all(|mode| try_open("disk", mode) == "ok") {
            return number;
        }
        fs::remove_file("disk").unwrap();
    }
    panic!("no block device can be opened here even without a program, so nothing can be proven");
}

fn make_node(name: &str, kind: FileType, (major, minor): (u32, u32)) {
    mknodat(CWD, name, kind, 0o600.into(), makedev(major, minor)).unwrap();
}

const REFUSED: &str = "1";

fn devices_are_guarded(tree: &Tree) {
    make_disk();
    make_node("null", FileType::CharacterDevice, (1, 3));
    make_node("kmsg", FileType::CharacterDevice, (1, 11));
    let group = container(tree, "abc");
    assert!(!group.has_device_guard().unwrap());
    for node in ["disk", "null", "kmsg"] {
        assert_eq!(helper(&group, &["open", node, "r"]), "ok", "{node} without a program");
    }
    measured("load and attach the device program", || group.guard_devices(&DEFAULT)).unwrap();
    assert!(group.has_device_guard().unwrap());
    for (node, mode, want) in [
        ("disk", "r", REFUSED),
        ("disk", "w", REFUSED),
        ("disk", "rw", REFUSED),
        ("null", "r", "ok"),
        ("null", "rw", "ok"),
        ("kmsg", "r", REFUSED),
        ("kmsg", "w", REFUSED),
        ("/dev/zero", "r", "ok"),
        ("/dev/urandom", "r", "ok"),
        ("/dev/ptmx", "rw", "ok"),
    ] {
        assert_eq!(helper(&group, &["open", node, mode]), want, "{node} {mode}");
    }
    // Groups that the payload makes are guarded, too; the group beside it is not.
    let inner = group.path().join("inner");
    fs::create_dir(&inner).unwrap();
    assert_eq!(helper_in(&inner, &["open", "disk", "r"]), REFUSED);
    assert_eq!(helper(&container(tree, "def"), &["open", "disk", "r"]), "ok");
    assert_eq!(helper(&group, &["make", "made"]), "ok", "nodes may be made");
}

fn devices_are_replaced(tree: &Tree) {
    let (major, minor) = make_disk();
    make_node("null", FileType::CharacterDevice, (1, 3));
    let group = container(tree, "abc");
    let read_disk = Rule {
        kind: Some(Kind::Block),
        major: Some(major),
        minor: Some(minor),
        access: Access { read: true, write: false, make: false },
    };
    let extended: Vec<Rule> = DEFAULT.into_iter().chain([read_disk]).collect();
    for (rules, want) in [
        (&DEFAULT[..], ["ok", REFUSED, REFUSED]),
        (&extended[..], ["ok", "ok", REFUSED]),
        (&[][..], [REFUSED, REFUSED, REFUSED]),
        (&[Rule::EVERYTHING][..], ["ok", "ok", "ok"]),
        (&DEFAULT[..], ["ok", REFUSED, REFUSED]),
    ] {
        measured("replace the device program", || group.guard_devices(rules)).unwrap();
        // Opening a disk for writing changes nothing on it.
        let got =
            [("null", "r"), ("disk", "r"), ("disk", "w")].map(|(node, mode)| helper(&group, &["open", node, mode]));
        assert_eq!(got, want);
    }
    let many = vec![Rule::character(1, 3); 1001];
    let error = group.guard_devices(&many).unwrap_err().to_string();
    assert!(error.contains("not guarded") && error.contains("too many rules"), "{error}");
    assert!(group.guard_devices(&many[..1000]).is_ok(), "the largest program is taken by the verifier");
    let gone = tree.container(Quality::Guaranteed, &uid(), &ContainerId::new("none").unwrap());
    assert!(gone.guard_devices(&DEFAULT).is_err());
}

fn devices_without_right(tree: &Tree) {
    let group = container(tree, "abc");
    let root = tree.root();
    let output = me().arg("guard").arg(root.path()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    for part in ["devices of ", "/abc are not guarded: load the device program: ", "CAP_SYS_ADMIN"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(!group.has_device_guard().unwrap());
}

/// As a user without rights.
fn guard_without_right(root: &str) -> ExitCode {
    let tree = Tree::open(root.as_ref(), Mode::GroupOnly).unwrap();
    let nobody = rustix::thread::Uid::from_raw(65_534);
    rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
    let group = tree.container(Quality::Burstable, &uid(), &ContainerId::new("abc").unwrap());
    println!("{}", group.guard_devices(&DEFAULT).unwrap_err());
    ExitCode::SUCCESS
}

fn limits_are_refused(tree: &Tree) {
    let group = container(tree, "abc");
    let error = group.apply(&Limits { memory_max: Some(Bound::At(1 << 20)), ..Limits::default() }).unwrap_err();
    assert!(matches!(error, Error::GroupOnly { .. }), "{error}");
    let asked_for_nothing = levels::container(&levels::ContainerResources::default(), tree.page_sizes());
    let applied = group.apply(&asked_for_nothing).unwrap();
    assert_eq!(applied.written, 0);
    assert!(applied.left_out.iter().any(|write| write.file == "memory.oom.group"));
    let nowhere = tree.container(Quality::Guaranteed, &uid(), &ContainerId::new("none").unwrap());
    assert_eq!(nowhere.apply(&Limits::default()).unwrap_err().errno(), Some(2), "there is nothing to limit");
}

fn stats_are_absent(tree: &Tree) {
    let group = container(tree, "abc");
    assert_eq!(helper(&group, &["open", "/dev/null", "r"]), "ok");
    let stats = group.stats().unwrap();
    assert!(stats.cpu.unwrap().usage_usec > 0, "the kernel counts time without a controller");
    if group.path().join("memory.current").exists() {
        assert!(stats.memory.is_some());
    } else {
        assert_eq!((stats.memory, group.memory_events().unwrap()), (None, None));
    }
    group.destroy(WITHIN).unwrap();
    assert_eq!(group.stats().unwrap(), coracle_cgroups::Stats::default(), "a group that is gone has no figures");
    assert!(group.events().unwrap().is_none());
}

// Cases on a full tree.

fn full_container(tree: &Tree, id: &str, limits: &Limits) -> Group {
    let group = container(tree, id);
    group.apply(limits).unwrap();
    group
}

fn limits_in_force(tree: &Tree) {
    let sizes = tree.page_sizes();
    tree.prepare().unwrap();
    let node =
        levels::Allocatable { cpu_millis: Some(1000), memory: Some(512 << 20), ..levels::Allocatable::default() };
    tree.pods().apply(&levels::node(&node, sizes)).unwrap();
    tree.quality(Quality::Burstable).apply(&levels::burstable(512, sizes)).unwrap();
    tree.quality(Quality::BestEffort).apply(&levels::best_effort(sizes)).unwrap();
    assert_eq!(text(&tree.pods(), "memory.max"), (512 << 20).to_string());
    assert_eq!(text(&tree.quality(Quality::BestEffort), "cpu.weight"), "1");
    let mut asked = levels::ContainerResources {
        cpu_request_millis: 500,
        cpu_limit_millis: Some(1000),
        memory_limit: Some(64 << 20),
        ..levels::ContainerResources::default()
    };
    let group = full_container(tree, "abc", &levels::container(&asked, sizes));
    for (file, want) in
        [("cpu.weight", "59"), ("cpu.max", "100000 100000"), ("memory.max", "67108864"), ("memory.oom.group", "1")]
    {
        assert_eq!(text(&group, file), want, "{file}");
    }
    if group.path().join("memory.swap.max").exists() {
        assert_eq!(text(&group, "memory.swap.max"), "0");
    }
    for size in group.stats().unwrap().hugetlb.keys() {
        assert_eq!(text(&group, &format!("hugetlb.{size}.max")), "0");
    }
    let again = group.apply(&levels::container(&asked, sizes)).unwrap();
    assert_eq!(again.written, 0, "nothing differs");
    let mut child = sleeper(&group);
    (asked.memory_limit, asked.cpu_limit_millis) = (Some(128 << 20), None);
    assert_eq!(group.apply(&levels::container(&asked, sizes)).unwrap().written, 2);
    assert_eq!((text(&group, "memory.max"), text(&group, "cpu.max")), ("134217728".into(), "max 100000".into()));
    group.apply(&Limits { cpu_max: Some(CpuMax::of_millis(10)), ..Limits::default() }).unwrap();
    assert_eq!(text(&group, "cpu.max"), "1000 100000");
    group.apply(&Limits { cpuset_cpus: Some("0".into()), ..Limits::default() }).unwrap();
    assert_eq!(text(&group, "cpuset.cpus"), "0");
    child.kill().unwrap();
    child.wait().unwrap();
    let huge = Limits { hugetlb: BTreeMap::from([(4096, Bound::At(4096))]), ..Limits::default() };
    assert!(group.apply(&huge).is_err(), "no kernel has huge pages of this size");
}

fn controllers_reach(tree: &Tree) {
    let group = container(tree, "abc");
    println!("controllers: {:?}", tree.controllers());
    for controller in &tree.controllers().available {
        for level in [&tree.pods(), &tree.quality(Quality::Burstable), &tree.pod(Quality::Burstable, &uid()), &group] {
            assert!(
                text(level, "cgroup.controllers").split(' ').any(|word| word == controller),
                "{controller} {level:?}"
            );
        }
    }
    assert_eq!(text(&group, "cgroup.subtree_control"), "", "a container's group is a leaf");
    let error = tree.pod(Quality::Burstable, &uid()).join(std::process::id()).unwrap_err();
    assert!(matches!(error, Error::NotALeaf { .. }), "{error}");
}

fn out_of_memory(tree: &Tree) {
    let asked = levels::ContainerResources { memory_limit: Some(16 << 20), ..levels::ContainerResources::default() };
    let group = full_container(tree, "abc", &levels::container(&asked, &[]));
    let mut watcher = Watcher::new().unwrap();
    watcher.watch(&group, Watched::Memory, ()).unwrap();
    let before = group.memory_events().unwrap().unwrap();
    assert_eq!(before.oom_kill, 0);
    let mut bystander = sleeper(&group);
    assert_eq!(helper(&group, &["eat", "64"]), "", "it was killed before it could speak");
    let mut now = before;
    while !now.killed_since(&before) {
        assert!(!watcher.wait(Instant::now() + WITHIN).unwrap().is_empty(), "{now:?}");
        now = group.memory_events().unwrap().unwrap();
    }
    group.wait_empty(WITHIN).unwrap();
    assert!(!bystander.wait().unwrap().success(), "all die together");
    let after = group.memory_events().unwrap().unwrap();
    println!("{after:?}");
    assert!(after.oom_group_kill == 1 && after.oom_kill >= 1 && after.max > 0);
    // One process alone, when the node is told so.
    let alone = levels::ContainerResources { single_process_oom_kill: true, ..asked };
    let group = full_container(tree, "def", &levels::container(&alone, &[]));
    let mut bystander = sleeper(&group);
    assert_eq!(helper(&group, &["eat", "64"]), "");
    let after = group.memory_events().unwrap().unwrap();
    assert!(after.oom_kill == 1 && after.oom_group_kill == 0, "{after:?}");
    assert!(bystander.try_wait().unwrap().is_none(), "the other lives");
    group.destroy(WITHIN).unwrap();
    bystander.wait().unwrap();
}

fn pids(tree: &Tree) {
    let group = full_container(tree, "abc", &Limits { pids_max: Some(Bound::At(3)), ..Limits::default() });
    let mut children: Vec<Child> = (0..2).map(|_| sleeper(&group)).collect();
    assert_eq!(helper(&group, &["fork"]), "11", "try again: the third process cannot fork");
    let pids = group.stats().unwrap().pids.unwrap();
    assert_eq!((pids.current, pids.limit), (2, Some(3)));
    group.destroy(WITHIN).unwrap();
    for child in &mut children {
        child.wait().unwrap();
    }
}

fn join_beside(tree: &Tree) {
    let group = container(tree, "abc");
    fs::create_dir(group.path().join("init.scope")).unwrap();
    let mut first = waiting();
    fs::write(group.path().join("init.scope/cgroup.procs"), first.id().to_string()).unwrap();
    fs::write(group.path().join("cgroup.subtree_control"), "+memory").unwrap();
    let mut second = waiting();
    assert!(matches!(group.join(second.id()), Err(Error::NotALeaf { .. })));
    group.join_beside(second.id(), first.id()).unwrap();
    let procs = fs::read_to_string(group.path().join("init.scope/cgroup.procs")).unwrap();
    assert!(procs.lines().any(|line| line == second.id().to_string()));
    assert!(group.join_beside(second.id(), std::process::id()).is_err(), "the first process is elsewhere");
    group.destroy(WITHIN).unwrap();
    first.wait().unwrap();
    second.wait().unwrap();
}

fn stats_are_read(tree: &Tree) {
    let asked = levels::ContainerResources { memory_limit: Some(64 << 20), ..levels::ContainerResources::default() };
    let group = full_container(tree, "abc", &levels::container(&asked, &[]));
    assert_eq!(helper(&group, &["eat", "8"]), (8 << 20).to_string());
    let mut child = sleeper(&group);
    let stats = measured("read all figures", || group.stats()).unwrap();
    println!("{stats:?}");
    let memory = stats.memory.unwrap();
    assert_eq!(memory.limit, Some(64 << 20));
    assert!(memory.peak.is_none_or(|peak| peak >= 8 << 20));
    assert!(memory.working_set <= memory.usage);
    assert!(stats.cpu.unwrap().usage_usec > 0);
    assert_eq!(stats.pids.unwrap().current, 1);
    assert_eq!(stats.hugetlb.len(), tree.page_sizes().len());
    child.kill().unwrap();
    child.wait().unwrap();
}
