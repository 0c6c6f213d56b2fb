//! Tables of [`plan`].

use super::*;
use crate::limits::CpuMax;

fn all() -> Controllers {
    Controllers::new(["cpu", "cpuset", "io", "memory", "hugetlb", "pids", "misc"])
}

/// What a fresh container group of a current kernel holds.
fn fresh() -> Current {
    Current::new([
        ("cpu.weight", "100\n"),
        ("cpu.max", "max 100000\n"),
        ("cpuset.cpus", "\n"),
        ("cpuset.mems", "\n"),
        ("memory.min", "0\n"),
        ("memory.low", "0\n"),
        ("memory.high", "max\n"),
        ("memory.swap.max", "max\n"),
        ("memory.max", "max\n"),
        ("memory.oom.group", "0\n"),
        ("pids.max", "max\n"),
        ("hugetlb.2MB.max", "max\n"),
        ("hugetlb.2MB.rsvd.max", "max\n"),
        ("misc.max", "res_a max\nres_b 3\n"),
    ])
}

fn full() -> Limits {
    Limits {
        cpu_weight: Some(59),
        cpu_max: Some(CpuMax::of_millis(500)),
        cpuset_cpus: Some("0-1,3".into()),
        cpuset_mems: Some("0".into()),
        memory_min: Some(0),
        memory_low: Some(0),
        memory_high: Some(Bound::Max),
        memory_swap_max: Some(Bound::At(0)),
        memory_max: Some(Bound::At(64 << 20)),
        memory_oom_group: Some(true),
        pids_max: Some(Bound::At(100)),
        hugetlb: BTreeMap::from([(2 << 20, Bound::At(0))]),
        misc: BTreeMap::from([("res_a".into(), Bound::At(1)), ("res_b".into(), Bound::At(3))]),
    }
}

fn texts(writes: &[Write]) -> Vec<String> {
    writes.iter().map(|write| format!("{} = {}", write.file, write.value)).collect()
}

#[test]
fn only_what_differs_is_written_and_swap_before_memory() {
    let made = plan(&full(), &fresh(), Mode::Full, &all()).unwrap();
    let want = [
        "cpu.weight = 59",
        "cpu.max = 50000 100000",
        "cpuset.cpus = 0-1,3",
        "cpuset.mems = 0",
        "memory.swap.max = 0",
        "memory.max = 67108864",
        "memory.oom.group = 1",
        "pids.max = 100",
        "hugetlb.2MB.max = 0",
        "hugetlb.2MB.rsvd.max = 0",
        "misc.max = res_a 1",
    ];
    assert_eq!(texts(&made.writes), want);
    assert!(made.left_out.is_empty());
}

#[test]
fn what_is_in_force_is_not_written_again_and_an_update_writes_one_file() {
    let held = Current::new([("memory.max", "67108864\n"), ("cpu.weight", "59\n"), ("cpu.max", "50000 100000\n")]);
    let mut limits = Limits {
        cpu_weight: Some(59),
        cpu_max: Some(CpuMax::of_millis(500)),
        memory_max: Some(Bound::At(64 << 20)),
        ..Limits::default()
    };
    assert_eq!(plan(&limits, &held, Mode::Full, &all()).unwrap(), Plan::default());
    limits.memory_max = Some(Bound::Max);
    assert_eq!(texts(&plan(&limits, &held, Mode::Full, &all()).unwrap().writes), ["memory.max = max"]);
}

#[test]
fn no_limits_need_nothing_anywhere() {
    for mode in [Mode::Full, Mode::GroupOnly] {
        let made = plan(&Limits::default(), &Current::default(), mode, &Controllers::default()).unwrap();
        assert_eq!(made, Plan::default());
    }
}

/// One cap each, and the file it is about.
fn caps() -> Vec<(&'static str, Limits)> {
    let none = Limits::default;
    vec![
        ("cpu.max", Limits { cpu_max: Some(CpuMax::of_millis(100)), ..none() }),
        ("cpuset.cpus", Limits { cpuset_cpus: Some("0".into()), ..none() }),
        ("cpuset.mems", Limits { cpuset_mems: Some("0".into()), ..none() }),
        ("memory.min", Limits { memory_min: Some(4096), ..none() }),
        ("memory.low", Limits { memory_low: Some(4096), ..none() }),
        ("memory.high", Limits { memory_high: Some(Bound::At(4096)), ..none() }),
        ("memory.max", Limits { memory_max: Some(Bound::At(4096)), ..none() }),
        ("memory.swap.max", Limits { memory_swap_max: Some(Bound::At(4096)), ..none() }),
        ("pids.max", Limits { pids_max: Some(Bound::At(5)), ..none() }),
        ("hugetlb.2MB.max", Limits { hugetlb: BTreeMap::from([(2 << 20, Bound::At(2 << 20))]), ..none() }),
        ("misc.max", Limits { misc: BTreeMap::from([("res_a".into(), Bound::At(1))]), ..none() }),
    ]
}

#[test]
fn group_only_refuses_every_cap_and_names_the_flag() {
    for (file, limits) in caps() {
        let error = plan(&limits, &fresh(), Mode::GroupOnly, &all()).unwrap_err().to_string();
        assert!(error.starts_with(file) && error.contains("--cgroup-mode=group-only"), "{file}: {error}");
    }
}

#[test]
fn a_cap_without_its_controller_is_refused_and_named() {
    for (file, limits) in caps() {
        let controller = file.split('.').next().unwrap();
        let rest: Vec<&str> = ["cpu", "cpuset", "memory", "hugetlb", "pids", "misc"]
            .into_iter()
            .filter(|name| *name != controller)
            .collect();
        let error = plan(&limits, &fresh(), Mode::Full, &Controllers::new(rest)).unwrap_err().to_string();
        assert!(error.starts_with(file) && error.contains(&format!("controller {controller} ")), "{file}: {error}");
    }
}

#[test]
fn a_cap_without_its_file_is_refused() {
    for (file, limits) in caps() {
        let error = plan(&limits, &Current::default(), Mode::Full, &all()).unwrap_err().to_string();
        assert!(error.starts_with(file) && error.contains("no such file"), "{file}: {error}");
    }
}

#[test]
fn shares_and_caps_of_nothing_are_left_out_aloud() {
    let limits = Limits {
        cpu_weight: Some(1),
        cpu_max: Some(CpuMax::UNLIMITED),
        memory_oom_group: Some(true),
        memory_swap_max: Some(Bound::At(0)),
        hugetlb: BTreeMap::from([(2 << 20, Bound::At(0))]),
        ..Limits::default()
    };
    for (mode, controllers) in [(Mode::GroupOnly, Controllers::default()), (Mode::Full, Controllers::default())] {
        let made = plan(&limits, &Current::default(), mode, &controllers).unwrap();
        assert!(made.writes.is_empty());
        let left: Vec<&str> = made.left_out.iter().map(|write| write.file.as_str()).collect();
        let want = ["cpu.weight", "cpu.max", "memory.swap.max", "memory.oom.group", "hugetlb.2MB.max"];
        assert_eq!(left, want);
    }
}

#[test]
fn a_kernel_without_swap_or_reservations_is_fine() {
    let current = Current::new([("memory.max", "max\n"), ("hugetlb.2MB.max", "max\n")]);
    let limits = Limits {
        memory_max: Some(Bound::At(4096)),
        memory_swap_max: Some(Bound::At(0)),
        hugetlb: BTreeMap::from([(2 << 20, Bound::At(0))]),
        ..Limits::default()
    };
    let made = plan(&limits, &current, Mode::Full, &all()).unwrap();
    assert_eq!(texts(&made.writes), ["memory.max = 4096", "hugetlb.2MB.max = 0"]);
    assert_eq!(texts(&made.left_out), ["memory.swap.max = 0"]);
}

#[test]
fn nonsense_is_refused_before_anything_is_written() {
    let none = Limits::default;
    let period = |quota, period| Limits { cpu_max: Some(CpuMax { quota, period }), ..none() };
    let set = |list: &str| Limits { cpuset_cpus: Some(list.into()), ..none() };
    let misc = |name: &str| Limits { misc: BTreeMap::from([(name.into(), Bound::At(1))]), ..none() };
    let huge = |size| Limits { hugetlb: BTreeMap::from([(size, Bound::At(0))]), ..none() };
    for limits in [
        Limits { cpu_weight: Some(0), ..none() },
        Limits { cpu_weight: Some(10_001), ..none() },
        period(Bound::At(999), 100_000),
        period(Bound::Max, 999),
        period(Bound::Max, 1_000_001),
        set(""),
        set("1-"),
        set("3-1"),
        set("+1"),
        set("0\n1"),
        set("4294967296"),
        set(&"1,".repeat(3000)),
        misc(""),
        misc("a b"),
        misc("a\nb"),
        huge(0),
        huge(3 << 20),
    ] {
        let error = plan(&limits, &fresh(), Mode::Full, &all()).unwrap_err();
        assert!(matches!(error, Error::BadLimit { .. }), "{limits:?}: {error}");
    }
}

#[test]
fn no_processes_means_one() {
    let limits = Limits { pids_max: Some(Bound::At(0)), ..Limits::default() };
    assert_eq!(texts(&plan(&limits, &fresh(), Mode::Full, &all()).unwrap().writes), ["pids.max = 1"]);
}
