//! From a profile to a filter program.
//!
//! The program asks for the architecture, then searches the number of the call in a balanced tree of ranges, and
//! walks through the conditions of the few calls that have some.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::architecture::{Architecture, X32_BIT};
use crate::assembler::{
    AND, AssembleError, Assembler, EQUAL, GREATER, GREATER_EQUAL, Instruction, LOAD, RETURN, Target,
};
use crate::profile::{Action, Condition, Flag, Operator, Profile, Rule};

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

const RETURN_KILL_THREAD: u32 = 0;
const RETURN_KILL_PROCESS: u32 = 0x8000_0000;
const RETURN_TRAP: u32 = 0x0003_0000;
const RETURN_ERRNO: u32 = 0x0005_0000;
const RETURN_TRACE: u32 = 0x7ff0_0000;
const RETURN_LOG: u32 = 0x7ffc_0000;
const RETURN_ALLOW: u32 = 0x7fff_0000;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// Calls have at most this many arguments.
const MAXIMUM_ARGUMENTS: u32 = 6;

/// A filter, ready for `seccomp(2)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Instructions.
    pub instructions: Vec<Instruction>,
    /// Flags of `SECCOMP_SET_MODE_FILTER`.
    pub flags: u32,
}

/// Why a profile cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CompileError {
    /// An architecture that no machine of this product has.
    #[error("seccomp: architecture {0:?} is not supported")]
    Architecture(String),
    /// Actions that need a listener.
    #[error("seccomp: SCMP_ACT_NOTIFY is not supported")]
    Notify,
    /// A condition on an argument that does not exist.
    #[error("seccomp: argument {0} does not exist")]
    Argument(u32),
    /// An error number that does not fit.
    #[error("seccomp: errnoRet {0} is too large")]
    ErrorNumber(u32),
    /// More rules than a filter can have.
    #[error("seccomp: {0}")]
    Size(String),
}

impl From<AssembleError> for CompileError {
    fn from(error: AssembleError) -> Self {
        Self::Size(error.to_string())
    }
}

/// What is decided for one call number.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Decision {
    /// Always the same.
    Always(u32),
    /// The first whose conditions all hold.
    Conditions(Vec<(Vec<Condition>, u32)>),
}

/// Calls of one architecture: the decisions, and from which number on calls are unknown to the profile.
struct Table {
    decisions: BTreeMap<u32, Decision>,
    unknown_from: Option<u32>,
}

/// Compiles a profile.
///
/// # Errors
/// What the profile asks for does not exist, is not supported, or does not fit into a filter.
pub fn compile(profile: &Profile) -> Result<Program, CompileError> {
    let default = answer(profile.default_action, profile.default_errno_ret)?;
    let mut architectures = Vec::new();
    for name in profile.architectures.iter().flatten() {
        match Architecture::named(name) {
            Some(found) if !architectures.contains(&found) => architectures.push(found),
            Some(_) => {}
            // Names of other machines do no harm: such code cannot run here.
            None if name.starts_with("SCMP_ARCH_") => {}
            None => return Err(CompileError::Architecture(name.clone())),
        }
    }
    // As libseccomp does it, the machine's own architecture always belongs to the filter.
    match Architecture::native() {
        Some(native) if !architectures.contains(&native) => architectures.push(native),
        _ => {}
    }
    let mut assembler = Assembler::default();
    let both = architectures.contains(&Architecture::X86_64) || architectures.contains(&Architecture::X32);
    assembler.plain(LOAD, ARCHITECTURE);
    if both {
        x86_64(&mut assembler, profile, default, &architectures)?;
    }
    for &architecture in architectures.iter().filter(|a| !matches!(a, Architecture::X86_64 | Architecture::X32)) {
        let next = assembler.label();
        on_architecture(&mut assembler, architecture.audit(), next);
        section(&mut assembler, &table(profile, default, architecture)?, default);
        assembler.place(next);
    }
    assembler.plain(RETURN, RETURN_KILL_THREAD);
    let flags = profile.flags.iter().flatten().try_fold(0, |bits, flag| match flag {
        Flag::WaitKillable => Err(CompileError::Notify),
        // There is one thread, and a thread that cannot be changed would turn into a thread id as the result.
        Flag::ThreadSync => Ok(bits),
        flag => Ok(bits | flag.bit()),
    })?;
    Ok(Program { instructions: assembler.finish()?, flags })
}

/// Goes on only for one audit number; the accumulator holds the architecture.
fn on_architecture(assembler: &mut Assembler, audit: u32, otherwise: crate::assembler::Label) {
    let here = assembler.label();
    assembler.branch(EQUAL, audit, Target::To(here), Target::Next);
    assembler.go(otherwise);
    assembler.place(here);
    assembler.plain(LOAD, NUMBER);
}

/// The two architectures that share an audit number; a bit of the call's number tells them apart.
fn x86_64(
    assembler: &mut Assembler,
    profile: &Profile,
    default: u32,
    architectures: &[Architecture],
) -> Result<(), CompileError> {
    let next = assembler.label();
    on_architecture(assembler, Architecture::X86_64.audit(), next);
    let x32 = assembler.label();
    let x86_64 = assembler.label();
    assembler.branch(GREATER_EQUAL, X32_BIT, Target::Next, Target::To(x86_64));
    assembler.go(x32);
    assembler.place(x86_64);
    half(assembler, profile, default, architectures, Architecture::X86_64)?;
    assembler.place(x32);
    half(assembler, profile, default, architectures, Architecture::X32)?;
    assembler.place(next);
    Ok(())
}

fn half(
    assembler: &mut Assembler,
    profile: &Profile,
    default: u32,
    architectures: &[Architecture],
    architecture: Architecture,
) -> Result<(), CompileError> {
    if architectures.contains(&architecture) {
        section(assembler, &table(profile, default, architecture)?, default);
    } else {
        assembler.plain(RETURN, RETURN_KILL_THREAD);
    }
    Ok(())
}

/// All decisions for one architecture.
fn table(profile: &Profile, default: u32, architecture: Architecture) -> Result<Table, CompileError> {
    let mut decisions = BTreeMap::new();
    let mut largest = None;
    for rule in profile.syscalls.iter().flatten() {
        let wanted = answer(rule.action, rule.errno_ret)?;
        let alternatives = alternatives(rule)?;
        for number in rule.names.iter().filter_map(|name| architecture.number(name)) {
            largest = largest.max(Some(number));
            // A rule that says what would happen anyway changes nothing, as runc sees it.
            if wanted != default {
                add(&mut decisions, number, &alternatives, wanted);
            }
        }
    }
    let default_is_strict = !matches!(profile.default_action, Action::Allow | Action::Log | Action::Trace);
    // Private calls of ARM are far above all others and say nothing about the age of the profile.
    let largest = if architecture == Architecture::Arm {
        decisions.keys().copied().filter(|number| *number < 0x000f_0000).max()
    } else {
        largest
    };
    let unknown_from = largest.filter(|_| default_is_strict).map(|number| number + 1);
    Ok(Table { decisions, unknown_from })
}

/// The conjunctions of a rule: one, or one for each condition when two speak of the same argument.
fn alternatives(rule: &Rule) -> Result<Vec<Vec<Condition>>, CompileError> {
    let conditions = rule.args.as_deref().unwrap_or_default();
    let mut seen = [false; MAXIMUM_ARGUMENTS as usize];
    let mut twice = false;
    for condition in conditions {
        let index = usize::try_from(condition.index).unwrap_or(usize::MAX);
        let place = seen.get_mut(index).ok_or(CompileError::Argument(condition.index))?;
        twice |= *place;
        *place = true;
    }
    Ok(if twice { conditions.iter().map(|one| vec![*one]).collect() } else { vec![conditions.to_vec()] })
}

fn add(decisions: &mut BTreeMap<u32, Decision>, number: u32, alternatives: &[Vec<Condition>], wanted: u32) {
    for conjunction in alternatives {
        match decisions.get_mut(&number) {
            // The wider rule is there already.
            Some(Decision::Always(_)) => {}
            _ if conjunction.is_empty() => {
                decisions.insert(number, Decision::Always(wanted));
            }
            Some(Decision::Conditions(list)) => list.push((conjunction.clone(), wanted)),
            None => {
                decisions.insert(number, Decision::Conditions(vec![(conjunction.clone(), wanted)]));
            }
        }
    }
}

/// A range of call numbers, up to the next one's start.
struct Range {
    start: u32,
    decision: Decision,
}

fn section(assembler: &mut Assembler, table: &Table, default: u32) {
    let unknown = match table.unknown_from {
        Some(from) if default != RETURN_ERRNO | ENOSYS => Some(from),
        _ => None,
    };
    let mut ranges: Vec<Range> = Vec::new();
    let mut push = |start: u32, decision: Decision| match ranges.last_mut() {
        Some(last) if last.decision == decision => {}
        Some(last) if last.start == start => last.decision = decision,
        _ => ranges.push(Range { start, decision }),
    };
    push(0, Decision::Always(default));
    let after = |number: u32| match unknown {
        Some(from) if number >= from => RETURN_ERRNO | ENOSYS,
        _ => default,
    };
    for (&number, decision) in &table.decisions {
        if let Some(from) = unknown
            && number > from
        {
            push(from, Decision::Always(after(from)));
        }
        push(number, decision.clone());
        push(number + 1, Decision::Always(after(number + 1)));
    }
    if let Some(from) = unknown {
        push(from, Decision::Always(after(from)));
    }
    ranges.dedup_by(|later, earlier| later.decision == earlier.decision);
    search(assembler, &ranges, default);
}

/// Finds the range of the number in the accumulator and returns from the program.
fn search(assembler: &mut Assembler, ranges: &[Range], default: u32) {
    let (low, high) = ranges.split_at(ranges.len() / 2);
    match (low, high) {
        ([], [only]) => decide(assembler, &only.decision, default),
        (_, [first, ..]) => {
            let below = assembler.label();
            let above = assembler.label();
            assembler.branch(GREATER_EQUAL, first.start, Target::Next, Target::To(below));
            assembler.go(above);
            assembler.place(below);
            search(assembler, low, default);
            assembler.place(above);
            search(assembler, high, default);
        }
        _ => assembler.plain(RETURN, default),
    }
}

fn decide(assembler: &mut Assembler, decision: &Decision, default: u32) {
    match decision {
        Decision::Always(value) => assembler.plain(RETURN, *value),
        Decision::Conditions(list) => {
            for (conjunction, value) in list {
                let next = assembler.label();
                for condition in conjunction {
                    check(assembler, *condition, next);
                }
                assembler.plain(RETURN, *value);
                assembler.place(next);
            }
            assembler.plain(RETURN, default);
        }
    }
}

/// Goes on if the condition holds, else to `fail`. Arguments have 64 bits, the machine has 32.
fn check(assembler: &mut Assembler, condition: Condition, fail: crate::assembler::Label) {
    let low_at = ARGUMENTS + 8 * condition.index;
    let (low, high) = (low_half(condition.value), high_half(condition.value));
    let pass = assembler.label();
    let (to_pass, to_fail) = (Target::To(pass), Target::To(fail));
    let mut halves = |first: &mut dyn FnMut(&mut Assembler), second: &mut dyn FnMut(&mut Assembler)| {
        assembler.plain(LOAD, low_at + 4);
        first(assembler);
        assembler.plain(LOAD, low_at);
        second(assembler);
    };
    match condition.op {
        Operator::Equal => halves(&mut |a| a.branch(EQUAL, high, Target::Next, to_fail), &mut |a| {
            a.branch(EQUAL, low, Target::Next, to_fail);
        }),
        Operator::NotEqual => halves(&mut |a| a.branch(EQUAL, high, Target::Next, to_pass), &mut |a| {
            a.branch(EQUAL, low, to_fail, Target::Next);
        }),
        Operator::MaskedEqual => {
            let wanted = condition.value_two.unwrap_or(0) & condition.value;
            halves(
                &mut |a| {
                    a.plain(AND, high);
                    a.branch(EQUAL, high_half(wanted), Target::Next, to_fail);
                },
                &mut |a| {
                    a.plain(AND, low);
                    a.branch(EQUAL, low_half(wanted), Target::Next, to_fail);
                },
            );
        }
        Operator::Greater | Operator::GreaterEqual => {
            let code = if condition.op == Operator::Greater { GREATER } else { GREATER_EQUAL };
            halves(
                &mut |a| {
                    a.branch(GREATER, high, to_pass, Target::Next);
                    a.branch(EQUAL, high, Target::Next, to_fail);
                },
                &mut |a| a.branch(code, low, Target::Next, to_fail),
            );
        }
        Operator::Less | Operator::LessEqual => {
            // "Less" is "not greater or equal": the same comparison with the targets exchanged.
            let code = if condition.op == Operator::Less { GREATER_EQUAL } else { GREATER };
            halves(
                &mut |a| {
                    a.branch(GREATER, high, to_fail, Target::Next);
                    a.branch(EQUAL, high, Target::Next, to_pass);
                },
                &mut |a| a.branch(code, low, to_fail, Target::Next),
            );
        }
    }
    assembler.place(pass);
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
const fn low_half(value: u64) -> u32 {
    value as u32
}

const fn high_half(value: u64) -> u32 {
    low_half(value >> 32)
}

/// The word that the kernel takes for an action.
fn answer(action: Action, number: Option<u32>) -> Result<u32, CompileError> {
    let data = || {
        let number = number.unwrap_or(EPERM);
        if number > 0xffff { Err(CompileError::ErrorNumber(number)) } else { Ok(number) }
    };
    Ok(match action {
        Action::Kill | Action::KillThread => RETURN_KILL_THREAD,
        Action::KillProcess => RETURN_KILL_PROCESS,
        Action::Trap => RETURN_TRAP,
        Action::Errno => RETURN_ERRNO | data()?,
        Action::Trace => RETURN_TRACE | data()?,
        Action::Allow => RETURN_ALLOW,
        Action::Log => RETURN_LOG,
        Action::Notify => return Err(CompileError::Notify),
    })
}

#[cfg(test)]
mod tests;
