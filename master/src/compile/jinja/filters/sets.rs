//! Salt's filters on lists: set theory, flattening, combinations.

use super::Table;
use super::select::lower;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::objects::basic::Generator;
use crate::compile::jinja::parse::ast::MathOp;
use crate::compile::jinja::values::text::NESTING;
use crate::compile::jinja::values::{Dict, Value, items, ops, sorting};

pub(super) static FILTERS: Table = &[
    ("unique", |_, value, _| {
        unique(items::collect(&value)?).map(Value::list)
    }),
    ("union", |_, value, args| {
        let other = args.bind("union", ["lst2"], 1)?.value(0);
        union(&value, &other).map(Value::list)
    }),
    ("intersect", |_, value, args| {
        let other = args.bind("intersect", ["lst2"], 1)?.value(0);
        among(items::collect(&value)?, &other, true).map(Value::list)
    }),
    ("difference", |_, value, args| {
        let other = args.bind("difference", ["lst2"], 1)?.value(0);
        among(items::collect(&value)?, &other, false).map(Value::list)
    }),
    ("symmetric_difference", |_, value, args| {
        let other = args.bind("symmetric_difference", ["lst2"], 1)?.value(0);
        let both = Value::list(among(items::collect(&value)?, &other, true)?);
        among(union(&value, &other)?, &both, false).map(Value::list)
    }),
    ("flatten", |_, value, args| {
        let bound = args.bind("flatten", ["levels", "preserve_nulls"], 0)?;
        let levels = match bound.some(0) {
            None => None,
            Some(_) => Some(bound.int(0, 0)?),
        };
        let mut out = Vec::new();
        flatten(&value, levels, bound.truth(1, false)?, &mut out, 0)?;
        Ok(Value::list(out))
    }),
    ("sorted_ignorecase", |_, value, _| {
        let all = items::collect(&value)?;
        for item in &all {
            if !matches!(item, Value::Str(_)) {
                return Err(fault::other(format!(
                    "'{}' object has no attribute 'lower'",
                    item.type_name()
                )));
            }
        }
        let keys = all.iter().cloned().map(lower).collect();
        sorting::sort_by_key(all, keys, false).map(Value::list)
    }),
    ("compare_lists", |_, value, args| {
        let new = args.bind("compare_lists", ["new"], 0)?.value(0);
        let (old, new) = (value, new);
        let result = Dict::default();
        for (name, from, other) in [("new", &new, &old), ("old", &old, &new)] {
            let mut only = Vec::new();
            for item in items::collect(from)? {
                if !ops::contains(other, &item)? {
                    only.push(item);
                }
            }
            if !only.is_empty() {
                result.set(name, Value::list(only));
            }
        }
        Ok(Value::dict(result))
    }),
    (
        "is_list",
        |_, value, _| Ok(matches!(value, Value::List(_)).into()),
    ),
    ("is_iter", |_, value, _| {
        Ok((!matches!(value, Value::Str(_)) && items::iterable(&value)).into())
    }),
    ("sequence", |_, value, _| {
        Ok(match value {
            Value::List(_) | Value::Tuple(_) | Value::Dict(_) => value,
            other => Value::list(vec![other]),
        })
    }),
    ("exactly_n_true", |_, value, args| {
        let amount = args.bind("exactly_n", ["amount"], 0)?.int(0, 1)?;
        exactly(&value, amount)
    }),
    ("exactly_one_true", |_, value, _| exactly(&value, 1)),
    ("combinations", |_, value, args| {
        let size = args.bind("combinations", ["r"], 1)?.int(0, 0)?;
        choose("itertools.combinations", &value, size, Choice::Ascending)
    }),
    ("combinations_with_replacement", |_, value, args| {
        let size = args.bind("combinations_with_replacement", ["r"], 1)?.int(0, 0)?;
        choose(
            "itertools.combinations_with_replacement",
            &value,
            size,
            Choice::Repeating,
        )
    }),
    ("permutations", |_, value, args| {
        let all = items::collect(&value)?.len() as i128;
        let bound = args.bind("permutations", ["r"], 0)?;
        let size = if bound.some(0).is_some() {
            bound.int(0, all)?
        } else {
            all
        };
        choose("itertools.permutations", &value, size, Choice::Distinct)
    }),
    ("product", |_, value, args| {
        let mut pools = vec![items::collect(&value)?];
        for other in &args.positional {
            pools.push(items::collect(other)?);
        }
        let mut repeat = 1;
        for (name, value) in &args.keywords {
            match (&**name, value.as_int()) {
                ("repeat", Some(times)) => repeat = usize::try_from(times).unwrap_or(0).min(64),
                _ => return Err(fault::other("product() takes only the keyword argument 'repeat'")),
            }
        }
        let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
        for pool in std::iter::repeat_n(&pools, repeat).flatten() {
            if rows.len().saturating_mul(pool.len()) > ops::LONGEST {
                return Err(fault::other("the list grows beyond the limit"));
            }
            rows = rows
                .iter()
                .flat_map(|row| {
                    pool.iter().map(|item| {
                        let mut row = row.clone();
                        row.push(item.clone());
                        row
                    })
                })
                .collect();
        }
        Ok(Generator::value(
            "itertools.product",
            rows.into_iter().map(Value::tuple).collect(),
        ))
    }),
    ("compress", |_, value, args| {
        let selectors = items::collect(&args.bind("compress", ["selectors"], 1)?.value(0))?;
        let mut out = Vec::new();
        for (item, selector) in items::collect(&value)?.into_iter().zip(selectors) {
            if ops::truth(&selector)? {
                out.push(item);
            }
        }
        Ok(Generator::value("itertools.compress", out))
    }),
    ("zip", |_, value, args| {
        let lists = lists(&value, &args.positional)?;
        let len = lists.iter().map(Vec::len).min().unwrap_or(0);
        Ok(Generator::value("zip", rows(&lists, len, &Value::None)))
    }),
    ("zip_longest", |_, value, args| {
        let lists = lists(&value, &args.positional)?;
        let fill = args.keywords.iter().find(|(name, _)| &**name == "fillvalue");
        let fill = fill.map_or(Value::None, |(_, value)| value.clone());
        let len = lists.iter().map(Vec::len).max().unwrap_or(0);
        Ok(Generator::value(
            "itertools.zip_longest",
            rows(&lists, len, &fill),
        ))
    }),
];

fn lists(first: &Value, others: &[Value]) -> Res<Vec<Vec<Value>>> {
    let mut all = vec![items::collect(first)?];
    for other in others {
        all.push(items::collect(other)?);
    }
    Ok(all)
}

fn rows(lists: &[Vec<Value>], len: usize, fill: &Value) -> Vec<Value> {
    (0..len)
        .map(|i| {
            Value::tuple(
                lists
                    .iter()
                    .map(|list| list.get(i).unwrap_or(fill).clone())
                    .collect(),
            )
        })
        .collect()
}

fn unique(values: Vec<Value>) -> Res<Vec<Value>> {
    let seen = Dict::default();
    let mut out: Vec<Value> = Vec::new();
    for value in values {
        // What can be a key is looked up; the rest is compared with each.
        match crate::compile::jinja::values::Key::new(value.clone()) {
            Ok(key) => {
                if seen.get(&value)?.is_none() {
                    seen.insert(key, Value::None);
                    out.push(value);
                }
            }
            Err(_) => {
                if !ops::contains(&Value::list(out.clone()), &value)? {
                    out.push(value);
                }
            }
        }
    }
    Ok(out)
}

fn union(a: &Value, b: &Value) -> Res<Vec<Value>> {
    let joined = match (a, b) {
        (Value::List(_), Value::List(_)) => items::collect(&ops::math(MathOp::Add, a, b)?)?,
        (Value::List(_) | Value::Dict(_), _) | (_, Value::List(_) | Value::Dict(_)) => {
            items::collect(&ops::math(MathOp::Add, a, b)?)?
        }
        _ => [items::collect(a)?, items::collect(b)?].concat(),
    };
    unique(joined)
}

/// The items that are (or are not) in `other`, once each.
fn among(values: Vec<Value>, other: &Value, inside: bool) -> Res<Vec<Value>> {
    let mut out = Vec::new();
    for value in values {
        if ops::contains(other, &value)? == inside {
            out.push(value);
        }
    }
    unique(out)
}

fn flatten(value: &Value, levels: Option<i128>, nulls: bool, out: &mut Vec<Value>, depth: usize) -> Res<()> {
    if depth > NESTING {
        return Err(fault::other("Reference cycle detected. Check input list."));
    }
    for item in items::collect(value)? {
        let null = match &item {
            Value::None => true,
            Value::Str(text) => matches!(&**text, "None" | "null"),
            _ => false,
        };
        if null && !nulls {
            continue;
        }
        let deeper =
            !matches!(item, Value::Str(_)) && items::iterable(&item) && levels.is_none_or(|n| n >= 1);
        if deeper {
            flatten(&item, levels.map(|n| n - 1), nulls, out, depth + 1)?;
        } else {
            out.push(item);
        }
    }
    Ok(())
}

fn exactly(value: &Value, amount: i128) -> Res<Value> {
    let mut hits = 0;
    for item in items::collect(value)? {
        hits += i128::from(ops::truth(&item)?);
    }
    Ok((hits == amount).into())
}

/// Which places may follow one another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// Each later than the one before.
    Ascending,
    /// Each not earlier than the one before.
    Repeating,
    /// Each other than all before.
    Distinct,
}

fn choose(name: &'static str, value: &Value, size: i128, choice: Choice) -> Res<Value> {
    let pool = items::collect(value)?;
    let Ok(size) = usize::try_from(size) else {
        return Err(fault::other("r must be non-negative"));
    };
    let mut out = Vec::new();
    if size > 64 && size > pool.len() && choice != Choice::Repeating {
        return Ok(Generator::value(name, out));
    }
    let mut places: Vec<usize> = Vec::new();
    let mut next = 0;
    // Depth-first over the places, without recursion.
    loop {
        if places.len() == size {
            out.push(Value::tuple(places.iter().map(|i| pool[*i].clone()).collect()));
            if out.len().saturating_mul(size.max(1)) > ops::LONGEST {
                return Err(fault::other("the list grows beyond the limit"));
            }
        } else {
            while choice == Choice::Distinct && places.contains(&next) {
                next += 1;
            }
            if next < pool.len() {
                places.push(next);
                next = match choice {
                    Choice::Ascending => next + 1,
                    Choice::Repeating => next,
                    Choice::Distinct => 0,
                };
                continue;
            }
        }
        match places.pop() {
            Some(last) => next = last + 1,
            None => return Ok(Generator::value(name, out)),
        }
    }
}
