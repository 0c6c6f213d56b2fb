//! Which texts YAML readers take for a time.

/// A date, or a date and time: `2006-1-2`, `2006-1-2T15:4:5.9Z`, `2006-1-2 15:4:5`.
pub(super) fn is_time(text: &str) -> bool {
    time(text).is_some()
}

fn time(text: &str) -> Option<()> {
    let (year, rest) = text.split_once('-')?;
    let (month, rest) = rest.split_once('-')?;
    let day_end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (day, rest) = rest.split_at_checked(day_end)?;
    let year = (year.len() == 4).then(|| number(year, 4, 9999)).flatten()?;
    let month = number(month, 2, 12)?;
    let last = match month {
        0 => return None,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if number(day, 2, last)? == 0 {
        return None;
    }
    if rest.is_empty() {
        return Some(());
    }
    match rest.strip_prefix(['T', 't']) {
        Some(rest) => {
            let zone_at = rest.find(['Z', '+', '-'])?;
            let (clock, zone) = rest.split_at_checked(zone_at)?;
            time_of_day(clock)?;
            if zone == "Z" {
                return Some(());
            }
            let (hours, minutes) = zone.get(1..)?.split_once(':')?;
            let two = hours.len() == 2 && minutes.len() == 2;
            (two && number(hours, 2, 24).is_some() && number(minutes, 2, 60).is_some()).then_some(())
        }
        // Any number of spaces.
        None => time_of_day(rest.strip_prefix(' ')?.trim_start_matches(' ')),
    }
}

fn time_of_day(text: &str) -> Option<()> {
    let mut parts = text.splitn(3, ':');
    number(parts.next()?, 2, 23)?;
    number(parts.next()?, 2, 59)?;
    let seconds = parts.next()?;
    match seconds.split_once(['.', ',']) {
        Some((whole, fraction)) => {
            let digits = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
            (digits && number(whole, 2, 59).is_some()).then_some(())
        }
        None => number(seconds, 2, 59).map(|_| ()),
    }
}

/// A number of few digits up to a limit.
fn number(text: &str, digits: usize, limit: u32) -> Option<u32> {
    let fits = !text.is_empty() && text.len() <= digits && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|value| fits && *value <= limit)
}
