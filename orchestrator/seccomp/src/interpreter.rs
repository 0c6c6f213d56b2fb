//! A kernel-like interpreter of filters, for tests.

use crate::assembler::{AND, EQUAL, GREATER, GREATER_EQUAL, Instruction, JUMP, LOAD, RETURN};

/// What the program returns for a call.
pub(crate) fn run(program: &[Instruction], audit: u32, number: u32, arguments: [u64; 6]) -> u32 {
    let mut data = Vec::new();
    data.extend(number.to_le_bytes());
    data.extend(audit.to_le_bytes());
    data.extend(0_u64.to_le_bytes());
    for argument in arguments {
        data.extend(argument.to_le_bytes());
    }
    let mut at = 0;
    let mut accumulator = 0;
    loop {
        let instruction = program[at];
        let operand = instruction.operand;
        let jump = |holds: bool| usize::from(if holds { instruction.jump_true } else { instruction.jump_false });
        at += 1;
        match instruction.code {
            LOAD => {
                let from = usize::try_from(operand).unwrap();
                accumulator = u32::from_le_bytes(data[from..from + 4].try_into().unwrap());
            }
            AND => accumulator &= operand,
            JUMP => at += usize::try_from(operand).unwrap(),
            EQUAL => at += jump(accumulator == operand),
            GREATER => at += jump(accumulator > operand),
            GREATER_EQUAL => at += jump(accumulator >= operand),
            RETURN => return operand,
            code => panic!("unknown instruction {code:#x}"),
        }
    }
}
