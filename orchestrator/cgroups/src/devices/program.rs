//! From rules to instructions of the kernel's virtual machine.
//!
//! The program gets `{u32 access << 16 | kind, u32 major, u32 minor}` and answers 1 (allowed) or 0. Rules are tried one
//! after the other; each is a chain of comparisons that jumps to the next rule on the first mismatch.

use super::{Access, Kind, Rule};
use crate::sys::INSTRUCTION;

/// One instruction.
type Instruction = [u8; INSTRUCTION];

const LOAD_WORD: u8 = 0x61;
const MOVE: u8 = 0xbc;
const MOVE_NUMBER: u8 = 0xb7;
const AND_NUMBER: u8 = 0x54;
const SHIFT_RIGHT: u8 = 0x74;
/// Compares the lower 32 bits, so that numbers above 2^31 are not sign-extended.
const JUMP_UNLESS_EQUAL: u8 = 0x56;
const EXIT: u8 = 0x95;

/// The answer.
const ANSWER: u8 = 0;
/// First the address of the context, then scratch.
const SCRATCH: u8 = 1;
const KIND: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

const MAKE_BIT: u32 = 1;
const READ_BIT: u32 = 2;
const WRITE_BIT: u32 = 4;

fn instruction(code: u8, to: u8, from: u8, offset: i16, number: u32) -> Instruction {
    let [offset_0, offset_1] = offset.to_le_bytes();
    let [number_0, number_1, number_2, number_3] = number.to_le_bytes();
    // Both supported architectures are little-endian.
    [code, from << 4 | to, offset_0, offset_1, number_0, number_1, number_2, number_3]
}

/// The program for `rules`.
pub(super) fn assemble(rules: &[Rule]) -> Vec<Instruction> {
    let mut program = vec![
        instruction(LOAD_WORD, KIND, SCRATCH, 0, 0),
        instruction(LOAD_WORD, MAJOR, SCRATCH, 4, 0),
        instruction(LOAD_WORD, MINOR, SCRATCH, 8, 0),
        instruction(MOVE, ACCESS, KIND, 0, 0),
        instruction(SHIFT_RIGHT, ACCESS, 0, 0, 16),
        instruction(AND_NUMBER, KIND, 0, 0, 0xffff),
    ];
    for rule in rules {
        let tests = tests(rule);
        let unconditional = tests.is_empty();
        program.extend(block(tests));
        if unconditional {
            // The verifier refuses instructions that nothing reaches.
            return program;
        }
    }
    program.extend(answer(0));
    program
}

/// What must be equal for a rule: a register, possibly masked into scratch first, and its value.
struct Test {
    register: u8,
    mask: Option<u32>,
    value: u32,
}

fn tests(rule: &Rule) -> Vec<Test> {
    let kind = rule.kind.map(|kind| match kind {
        Kind::Block => 1,
        Kind::Character => 2,
    });
    let Access { read, write, make } = rule.access;
    let allowed = [(make, MAKE_BIT), (read, READ_BIT), (write, WRITE_BIT)];
    let allowed: u32 = allowed.iter().filter(|(has, _)| *has).map(|(_, bit)| bit).sum();
    // No bit but the allowed ones may be asked for. A rule for everything needs no comparison.
    let access = (allowed != MAKE_BIT | READ_BIT | WRITE_BIT).then_some(Test {
        register: ACCESS,
        mask: Some(!allowed),
        value: 0,
    });
    let exact = |register, value: Option<u32>| value.map(|value| Test { register, mask: None, value });
    [exact(KIND, kind), access, exact(MAJOR, rule.major), exact(MINOR, rule.minor)].into_iter().flatten().collect()
}

fn block(tests: Vec<Test>) -> Vec<Instruction> {
    let mut rest: Vec<Instruction> = answer(1).to_vec();
    // From the end, because a jump needs to know how much lies behind it.
    for Test { register, mask, value } in tests.into_iter().rev() {
        let offset = i16::try_from(rest.len()).unwrap_or(i16::MAX);
        let tested = if mask.is_some() { SCRATCH } else { register };
        let mut block = Vec::with_capacity(rest.len() + 3);
        if let Some(mask) = mask {
            block.push(instruction(MOVE, SCRATCH, register, 0, 0));
            block.push(instruction(AND_NUMBER, SCRATCH, 0, 0, mask));
        }
        block.push(instruction(JUMP_UNLESS_EQUAL, tested, 0, offset, value));
        block.append(&mut rest);
        rest = block;
    }
    rest
}

fn answer(number: u32) -> [Instruction; 2] {
    [instruction(MOVE_NUMBER, ANSWER, 0, 0, number), instruction(EXIT, 0, 0, 0, 0)]
}

#[cfg(test)]
mod tests {
    use super::super::DEFAULT;
    use super::*;

    /// Runs a program as the kernel would, for the instructions that are used.
    fn run(program: &[Instruction], context: [u32; 3]) -> u64 {
        let mut registers = [0_u64; 11];
        let mut at = 0_usize;
        loop {
            let [code, pair, low, high, ..] = program[at];
            let (to, from) = (usize::from(pair & 15), usize::from(pair >> 4));
            let offset = usize::try_from(i16::from_le_bytes([low, high])).unwrap();
            let number = u32::from_le_bytes(program[at][4..].try_into().unwrap());
            at += 1;
            let lower = |value: u64| value & 0xffff_ffff;
            match code {
                LOAD_WORD => registers[to] = context[offset / 4].into(),
                MOVE => registers[to] = lower(registers[from]),
                MOVE_NUMBER => registers[to] = number.into(),
                AND_NUMBER => registers[to] = lower(registers[to]) & u64::from(number),
                SHIFT_RIGHT => registers[to] = lower(registers[to]) >> number,
                JUMP_UNLESS_EQUAL if lower(registers[to]) != u64::from(number) => at += offset,
                JUMP_UNLESS_EQUAL => {}
                EXIT => return registers[0],
                other => panic!("instruction {other:#x}"),
            }
        }
    }

    const BLOCK: u32 = 1;
    const CHARACTER: u32 = 2;

    fn allows(rules: &[Rule], kind: u32, major: u32, minor: u32, access: u32) -> bool {
        run(&assemble(rules), [access << 16 | kind, major, minor]) == 1
    }

    #[test]
    fn the_default_set() {
        for (kind, major, minor, access, want) in [
            (CHARACTER, 1, 3, READ_BIT, true),
            (CHARACTER, 1, 3, READ_BIT | WRITE_BIT, true),
            (CHARACTER, 1, 9, READ_BIT, true),
            (CHARACTER, 5, 2, READ_BIT | WRITE_BIT, true),
            (CHARACTER, 136, 0, WRITE_BIT, true),
            (CHARACTER, 136, 1_048_575, WRITE_BIT, true),
            (CHARACTER, 1, 11, READ_BIT, false),
            (CHARACTER, 1, 1, READ_BIT, false),
            (CHARACTER, 4, 64, WRITE_BIT, false),
            (CHARACTER, 10, 200, READ_BIT | WRITE_BIT, false),
            (BLOCK, 1, 3, READ_BIT, false),
            (BLOCK, 8, 0, READ_BIT, false),
            (BLOCK, 8, 0, WRITE_BIT, false),
            (BLOCK, 8, 0, MAKE_BIT, true),
            (CHARACTER, 4, 64, MAKE_BIT, true),
            (BLOCK, 8, 0, MAKE_BIT | READ_BIT, false),
            (CHARACTER, u32::MAX, u32::MAX, READ_BIT, false),
        ] {
            assert_eq!(allows(&DEFAULT, kind, major, minor, access), want, "{kind} {major}:{minor} {access}");
        }
    }

    #[test]
    fn an_extension_allows_what_it_says_and_no_more() {
        let disk = Rule {
            kind: Some(Kind::Block),
            major: Some(8),
            minor: Some(0),
            access: Access { read: true, write: false, make: false },
        };
        let rules: Vec<Rule> = DEFAULT.into_iter().chain([disk, Rule::character(0xffff_fff0, 7)]).collect();
        for (kind, major, minor, access, want) in [
            (BLOCK, 8, 0, READ_BIT, true),
            (BLOCK, 8, 0, READ_BIT | WRITE_BIT, false),
            (BLOCK, 8, 1, READ_BIT, false),
            (CHARACTER, 8, 0, READ_BIT, false),
            (CHARACTER, 0xffff_fff0, 7, READ_BIT, true),
            (CHARACTER, 0xffff_fff1, 7, READ_BIT, false),
        ] {
            assert_eq!(allows(&rules, kind, major, minor, access), want, "{kind} {major}:{minor} {access}");
        }
    }

    #[test]
    fn nothing_and_everything() {
        assert!(!allows(&[], CHARACTER, 1, 3, READ_BIT));
        assert!(!allows(&[], BLOCK, 8, 0, MAKE_BIT));
        assert!(allows(&[Rule::EVERYTHING], BLOCK, 8, 0, 7));
        let program = assemble(&[Rule::EVERYTHING, Rule::character(1, 3)]);
        assert_eq!(program.len(), 8, "nothing stands behind a rule that always holds");
        assert!(assemble(&DEFAULT).len() < 80);
    }
}
