//! Machines as tables.

use super::*;

const PURE: &str =
    "24 30 0:22 / /sys rw - sysfs sysfs rw\n25 24 0:23 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
const HYBRID: &str = "24 30 0:22 / /sys rw - sysfs sysfs rw\n\
    25 24 0:23 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
    26 25 0:24 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
    27 25 0:25 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
    28 25 0:26 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
    29 25 0:27 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw\n";
const OLD: &str = "25 24 0:23 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n26 25 0:24 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
const SUBSYSTEMS: &str =
    "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t1\t1\nmemory\t0\t1\t0\npids\t8\t1\t1\n";

fn look<'a>(root: &'a str, mounts: &'a str, controllers: Option<&'a str>) -> Evidence<'a> {
    Evidence { root: Path::new(root), mounts, controllers, subsystems: Some(SUBSYSTEMS) }
}

#[test]
fn a_pure_tree_offers_what_it_has_and_says_what_is_missing() {
    let offered = Some("cpuset cpu io memory pids rdma misc\n");
    let found = judge(look("/sys/fs/cgroup", PURE, offered), Mode::Full).unwrap();
    assert_eq!(found.available, ["cpuset", "cpu", "io", "memory", "pids", "misc"]);
    assert_eq!(found.missing, ["hugetlb"]);
    let inside = judge(look("/sys/fs/cgroup/some/group", PURE, offered), Mode::Full).unwrap();
    assert_eq!(inside, found);
}

#[test]
fn group_only_needs_a_tree_and_nothing_in_it() {
    let found = judge(look("/sys/fs/cgroup/unified", HYBRID, Some("hugetlb\n")), Mode::GroupOnly).unwrap();
    assert!(found.available.is_empty());
    assert!(judge(look("/sys/fs/cgroup", HYBRID, None), Mode::GroupOnly).is_err());
}

#[test]
fn each_broken_machine_gets_its_remedy() {
    let full = "/sys/fs/cgroup";
    let later = format!("{PURE}99 25 0:99 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n");
    for (what, evidence, words) in [
        ("version 1", look(full, OLD, None), &["cgroup v1 only (memory)", "cgroup_no_v1=all"][..]),
        (
            "hybrid",
            look(full, HYBRID, None),
            &["holds cpu, cpuacct, memory, ", "/sys/fs/cgroup/unified", "--cgroup-mode=group-only", "cgroup_no_v1=all"],
        ),
        (
            "hybrid, its unified tree",
            look("/sys/fs/cgroup/unified", HYBRID, Some("hugetlb\n")),
            &["hybrid", "--cgroup-mode=group-only"],
        ),
        (
            "nothing",
            look(full, "24 30 0:22 / /sys rw - sysfs sysfs rw\n", None),
            &["mount -t cgroup2 none /sys/fs/cgroup"],
        ),
        ("covered by another mount", look(full, &later, None), &["no cgroup v2 hierarchy at /sys/fs/cgroup"]),
        (
            "Raspberry Pi",
            look(full, PURE, Some("cpuset cpu io pids\n")),
            &["memory", "cgroup_enable=memory", "Raspberry Pi"],
        ),
        (
            "held by version 1, not mounted",
            look(full, PURE, Some("cpu memory\n")),
            &["controller pids", "cgroup_no_v1=all"],
        ),
        (
            "not passed on",
            look("/sys/fs/cgroup/a", PURE, Some("memory pids\n")),
            &["controller cpu", "cgroup.subtree_control"],
        ),
    ] {
        let text = judge(evidence, Mode::Full).unwrap_err().to_string();
        for word in words {
            assert!(text.contains(word), "{what}: {text}");
        }
    }
    let newer = Evidence { subsystems: Some(""), ..look(full, PURE, Some("cpu pids")) };
    assert!(judge(newer, Mode::Full).unwrap_err().to_string().contains("built without it"));
}

#[test]
fn mount_points_with_blanks_are_read_and_junk_is_passed_over() {
    let mounts = "junk\n - \n1 2 3 / /a\\040b\\q\\04 rw - cgroup2 none rw\n\\ \\ \\ \\ \\999 - cgroup2\n";
    assert!(judge(look("/a b\\q\\04/c", mounts, None), Mode::GroupOnly).is_ok());
    assert!(judge(look("/ab", mounts, None), Mode::GroupOnly).is_err());
}
