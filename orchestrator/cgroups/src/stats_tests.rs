//! Texts of real kernels, and of none.

use super::*;

fn gather(files: &[(&str, &str)], sizes: &[&str]) -> Stats {
    let sizes: Vec<String> = sizes.iter().map(|size| (*size).to_owned()).collect();
    let read = |name: &str| Ok(files.iter().find(|(file, _)| *file == name).map(|(_, text)| (*text).to_owned()));
    Stats::gather(read, &sizes).unwrap()
}

const PRESSURE: &str =
    "some avg10=1.50 avg60=0.25 avg300=0.00 total=1234\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";

#[test]
fn everything_is_read() {
    let stats = gather(
        &[
            (
                "cpu.stat",
                "usage_usec 300\nuser_usec 200\nsystem_usec 100\nnice_usec 0\nnr_periods 4\nnr_throttled 3\nthrottled_usec 2\n",
            ),
            ("memory.current", "1000\n"),
            (
                "memory.stat",
                "anon 400\nfile 500\nfile_mapped 50\ninactive_file 300\nactive_file 200\npgfault 9\npgmajfault 1\n",
            ),
            ("memory.max", "2000\n"),
            ("memory.peak", "1500\n"),
            ("memory.swap.current", "0\n"),
            ("pids.current", "3\n"),
            ("pids.max", "max\n"),
            ("io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6 cost.usage=7\n253:1 \njunk\n"),
            ("hugetlb.2MB.current", "0\n"),
            ("hugetlb.2MB.max", "4194304\n"),
            ("cpu.pressure", PRESSURE),
            ("memory.pressure", PRESSURE),
            ("io.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"),
        ],
        &["2MB", "1GB"],
    );
    let cpu = stats.cpu.unwrap();
    assert_eq!((cpu.usage_usec, cpu.user_usec, cpu.system_usec), (300, 200, 100));
    assert_eq!((cpu.periods, cpu.throttled_periods, cpu.throttled_usec), (Some(4), Some(3), Some(2)));
    let memory = stats.memory.unwrap();
    assert_eq!((memory.usage, memory.working_set, memory.limit), (1000, 700, Some(2000)));
    assert_eq!((memory.rss, memory.cache, memory.mapped_file), (400, 500, 50));
    assert_eq!((memory.peak, memory.swap), (Some(1500), Some(0)));
    assert_eq!((memory.page_faults, memory.major_page_faults), (9, 1));
    assert_eq!(stats.pids, Some(Pids { current: 3, limit: None }));
    let io = stats.io.unwrap();
    assert_eq!(io.len(), 2);
    assert_eq!((io[0].read_bytes, io[0].written_bytes, io[0].reads, io[0].writes), (1, 2, 3, 4));
    assert_eq!((io[0].discarded_bytes, io[0].discards), (5, 6));
    assert_eq!(io[1], IoDevice { major: 253, minor: 1, ..IoDevice::default() });
    assert_eq!(stats.hugetlb, BTreeMap::from([("2MB".into(), Hugetlb { usage: 0, limit: Some(4 << 20) })]));
    let pressure = stats.cpu_pressure.unwrap();
    assert!((pressure.some.avg10 - 1.5).abs() < 1e-9 && pressure.some.total_usec == 1234);
    assert_eq!(pressure.full.unwrap().total_usec, 7);
    assert!(stats.io_pressure.unwrap().full.is_none());
}

#[test]
fn what_is_absent_stays_absent() {
    assert_eq!(gather(&[], &["2MB"]), Stats::default());
    // No CPU controller: the kernel still counts time. No memory controller: pressure alone.
    let stats =
        gather(&[("cpu.stat", "usage_usec 3\nuser_usec 2\nsystem_usec 1\n"), ("memory.pressure", PRESSURE)], &[]);
    assert_eq!(stats.cpu.unwrap().periods, None);
    assert!(stats.memory.is_none() && stats.memory_pressure.is_some());
    let stats = gather(&[("memory.current", "10\n"), ("memory.stat", "inactive_file 50\n")], &[]);
    let memory = stats.memory.unwrap();
    assert_eq!((memory.working_set, memory.limit, memory.swap, memory.peak), (0, None, None, None));
}

#[test]
fn nonsense_is_absence() {
    for text in
        ["", "\n", "some", "some avg10=x", "some avg10=1 avg60=1 avg300=1 total=-1", "\0\u{fffd}", "usage_usec -1"]
    {
        let stats = gather(
            &[("cpu.pressure", text), ("cpu.stat", text), ("memory.current", text), ("pids.current", text)],
            &[],
        );
        assert_eq!(stats, Stats::default(), "{text:?}");
    }
}
