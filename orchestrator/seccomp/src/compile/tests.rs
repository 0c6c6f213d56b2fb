use super::*;
use crate::default_profile::runtime_default;
use crate::interpreter::run;

const ALLOW: u32 = RETURN_ALLOW;
const DENY: u32 = RETURN_ERRNO | EPERM;
const UNKNOWN: u32 = RETURN_ERRNO | ENOSYS;

fn parse(text: &str) -> Profile {
    serde_json::from_str(text).unwrap()
}

fn ask(program: &Program, architecture: Architecture, name: &str, arguments: [u64; 6]) -> u32 {
    let number = architecture.number(name).unwrap_or_else(|| panic!("{architecture:?} has no {name}"));
    run(&program.instructions, architecture.audit(), number, arguments)
}

#[test]
fn operators_compare_all_64_bits() {
    let big = 0x1_0000_0005_u64;
    for (op, value, two, argument, want) in [
        ("EQ", big, 0_u64, big, true),
        ("EQ", big, 0, 5, false),
        ("EQ", 5, 0, big, false),
        ("NE", big, 0, big, false),
        ("NE", big, 0, 5, true),
        ("NE", 5, 0, 6, true),
        ("GT", big, 0, big, false),
        ("GT", big, 0, big + 1, true),
        ("GT", big, 0, 0x2_0000_0000, true),
        ("GT", big, 0, 6, false),
        ("GE", big, 0, big, true),
        ("GE", big, 0, big - 1, false),
        ("GE", 5, 0, big, true),
        ("LT", big, 0, big, false),
        ("LT", big, 0, big - 1, true),
        ("LT", big, 0, 0xffff_ffff, true),
        ("LT", 6, 0, big, false),
        ("LE", big, 0, big, true),
        ("LE", big, 0, big + 1, false),
        ("LE", big, 0, 0x2_0000_0000, false),
        ("MASKED_EQ", 0x7e02_0000, 0, 0x11, true),
        ("MASKED_EQ", 0x7e02_0000, 0, 0x1000_0011, false),
        ("MASKED_EQ", 0xff00_0000_0000, 0x1200_0000_0000, 0x1200_0000_0034, true),
        ("MASKED_EQ", 0xff00_0000_0000, 0x1200_0000_0000, 0x1300_0000_0034, false),
    ] {
        let text = format!(
            r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{{"names":["clone"],"action":"SCMP_ACT_ALLOW",
            "args":[{{"index":1,"value":{value},"valueTwo":{two},"op":"SCMP_CMP_{op}"}}]}}],
            "architectures":["SCMP_ARCH_X86_64"]}}"#
        );
        let program = compile(&parse(&text)).unwrap();
        let got = ask(&program, Architecture::X86_64, "clone", [0, argument, 0, 0, 0, 0]);
        assert_eq!(got == ALLOW, want, "{argument:#x} {op} {value:#x} {two:#x}");
    }
}

#[test]
fn conditions_of_a_rule_all_hold_unless_they_share_an_argument() {
    let text = |second: u32| {
        format!(
            r#"{{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64"],"syscalls":[
            {{"names":["ioctl"],"action":"SCMP_ACT_ALLOW","args":[
            {{"index":0,"value":1,"op":"SCMP_CMP_EQ"}},{{"index":{second},"value":2,"op":"SCMP_CMP_EQ"}}]}}]}}"#
        )
    };
    let both = compile(&parse(&text(1))).unwrap();
    let either = compile(&parse(&text(0))).unwrap();
    for (first, second, want_both, want_either) in
        [(1, 2, ALLOW, ALLOW), (1, 0, DENY, ALLOW), (2, 0, DENY, ALLOW), (0, 2, DENY, DENY), (3, 3, DENY, DENY)]
    {
        let arguments = [first, second, 0, 0, 0, 0];
        assert_eq!(ask(&both, Architecture::X86_64, "ioctl", arguments), want_both, "both {first} {second}");
        assert_eq!(ask(&either, Architecture::X86_64, "ioctl", arguments), want_either, "either {first} {second}");
    }
}

#[test]
fn a_rule_without_conditions_is_wider_than_those_with_some() {
    for order in [[0, 1], [1, 0]] {
        let rules = [
            r#"{"names":["clone"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}"#,
            r#"{"names":["clone"],"action":"SCMP_ACT_LOG"}"#,
        ];
        let text = format!(
            r#"{{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64"],"syscalls":[{},{}]}}"#,
            rules[order[0]], rules[order[1]]
        );
        let program = compile(&parse(&text)).unwrap();
        assert_eq!(ask(&program, Architecture::X86_64, "clone", [1, 0, 0, 0, 0, 0]), RETURN_LOG);
    }
}

#[test]
fn only_named_architectures_may_make_calls() {
    let profile = |names: &str| {
        compile(&parse(&format!(
            r#"{{"defaultAction":"SCMP_ACT_ALLOW","architectures":[{names}],
            "syscalls":[{{"names":["getpid"],"action":"SCMP_ACT_ERRNO","errnoRet":7}}]}}"#
        )))
        .unwrap()
    };
    let one = profile(r#""SCMP_ARCH_X86_64""#);
    let all = profile(r#""SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_X32","SCMP_ARCH_ARM","SCMP_ARCH_AARCH64""#);
    let none = [0; 6];
    for architecture in
        [Architecture::X86_64, Architecture::X86, Architecture::X32, Architecture::Arm, Architecture::Aarch64]
    {
        assert_eq!(ask(&all, architecture, "getpid", none), RETURN_ERRNO | 7, "{architecture:?}");
        assert_eq!(ask(&all, architecture, "getppid", none), ALLOW, "{architecture:?}");
        let native = Architecture::native() == Some(architecture);
        if architecture != Architecture::X86_64 && !native {
            assert_eq!(ask(&one, architecture, "getppid", none), RETURN_KILL_THREAD, "{architecture:?}");
        }
    }
    assert_eq!(run(&all.instructions, 0x8000_0016, 20, none), RETURN_KILL_THREAD, "s390x");
}

#[test]
fn calls_newer_than_the_profile_do_not_exist() {
    let strict = r#"{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X32"],
        "syscalls":[{"names":["read","close_range"],"action":"SCMP_ACT_ALLOW"}]}"#;
    let program = compile(&parse(strict)).unwrap();
    let none = [0; 6];
    assert_eq!(ask(&program, Architecture::X86_64, "close_range", none), ALLOW);
    assert_eq!(ask(&program, Architecture::X86_64, "clone3", none), DENY);
    assert_eq!(ask(&program, Architecture::X86_64, "openat2", none), UNKNOWN);
    assert_eq!(run(&program.instructions, Architecture::X86_64.audit(), 9999, none), UNKNOWN);
    assert_eq!(ask(&program, Architecture::X32, "clone3", none), DENY);
    assert_eq!(ask(&program, Architecture::X32, "mseal", none), UNKNOWN);
    let open = strict.replace("SCMP_ACT_ERRNO", "SCMP_ACT_LOG");
    let program = compile(&parse(&open)).unwrap();
    assert_eq!(ask(&program, Architecture::X86_64, "openat2", none), RETURN_LOG);
}

#[test]
fn what_cannot_be_compiled_is_said() {
    for (text, want) in [
        (r#"{"defaultAction":"SCMP_ACT_NOTIFY"}"#, "seccomp: SCMP_ACT_NOTIFY is not supported"),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["amd64"]}"#,
            "seccomp: architecture \"amd64\" is not supported",
        ),
        (
            r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW",
            "args":[{"index":6,"value":0,"op":"SCMP_CMP_EQ"}]}]}"#,
            "seccomp: argument 6 does not exist",
        ),
        (r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":65536}"#, "seccomp: errnoRet 65536 is too large"),
    ] {
        assert_eq!(compile(&parse(text)).unwrap_err().to_string(), want);
    }
    let condition =
        r#"{"names":["clone"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}"#;
    let many = vec![condition; 2000].join(",");
    let text = format!(r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{many}]}}"#);
    let error = compile(&parse(&text)).unwrap_err();
    assert!(matches!(error, CompileError::Size(_)), "{error}");
}

#[test]
fn the_default_profile_keeps_containers_from_new_namespaces() {
    let none = [0; 6];
    for native in [Architecture::X86_64, Architecture::Aarch64] {
        let plain = compile(&runtime_default(native, &[])).unwrap();
        let admin = compile(&runtime_default(native, &["CAP_SYS_ADMIN"])).unwrap();
        assert!(plain.instructions.len() < 2500, "{native:?}: {}", plain.instructions.len());
        for (name, arguments, want_plain, want_admin) in [
            ("clone", [0x1000_0011, 0, 0, 0, 0, 0], DENY, ALLOW),
            ("clone", [0x0002_0011, 0, 0, 0, 0, 0], DENY, ALLOW),
            ("clone", [0x11, 0, 0, 0, 0, 0], ALLOW, ALLOW),
            ("clone3", none, UNKNOWN, ALLOW),
            ("unshare", none, DENY, ALLOW),
            ("setns", none, DENY, ALLOW),
            ("mount", none, DENY, ALLOW),
            ("ptrace", none, ALLOW, ALLOW),
            ("keyctl", none, DENY, DENY),
            ("io_uring_setup", none, DENY, DENY),
            ("socket", [1, 0, 0, 0, 0, 0], ALLOW, ALLOW),
            ("socket", [40, 0, 0, 0, 0, 0], DENY, DENY),
            ("personality", [0x20000, 0, 0, 0, 0, 0], ALLOW, ALLOW),
            ("personality", [0x40000, 0, 0, 0, 0, 0], DENY, DENY),
            ("execve", none, ALLOW, ALLOW),
            ("mseal", none, UNKNOWN, UNKNOWN),
        ] {
            assert_eq!(ask(&plain, native, name, arguments), want_plain, "{native:?} {name} {arguments:x?}");
            assert_eq!(ask(&admin, native, name, arguments), want_admin, "{native:?} admin {name} {arguments:x?}");
        }
    }
}
