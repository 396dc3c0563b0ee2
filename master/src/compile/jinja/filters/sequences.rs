//! Jinja's filters on sequences and mappings that need no other filter.

use std::cmp::Ordering;

use super::Table;
use super::select::{getter, lower};
use crate::compile::jinja::OUTPUT;
use crate::compile::jinja::args::CallArgs;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::methods::strings::width;
use crate::compile::jinja::objects::basic::Generator;
use crate::compile::jinja::objects::views::{View, ViewKind};
use crate::compile::jinja::parse::ast::MathOp;
use crate::compile::jinja::values::text::str;
use crate::compile::jinja::values::{Value, items, ops, sorting};

pub(super) static FILTERS: Table = &[
    ("length", |_, value, _| ops::length(&value).map(Value::from)),
    ("count", |_, value, _| ops::length(&value).map(Value::from)),
    ("list", |_, value, _| items::collect(&value).map(Value::list)),
    ("first", |it, value, _| {
        Ok(match items::iterate(&value)?.next()? {
            Some(first) => first,
            None => it.undefined_saying("No first item, sequence was empty.".to_owned()),
        })
    }),
    ("last", |it, value, _| {
        Ok(match items::collect(&value)?.pop() {
            Some(last) => last,
            None => it.undefined_saying("No last item, sequence was empty.".to_owned()),
        })
    }),
    ("join", |it, value, args| {
        let bound = args.bind("sync_do_join", ["d", "attribute"], 0)?;
        let separator = if bound.get(0).is_some() {
            bound.printed(0)?
        } else {
            String::new()
        };
        let mut out = String::new();
        for (index, item) in items::collect(&value)?.into_iter().enumerate() {
            let item = match bound.some(1) {
                Some(attribute) => getter(it, attribute, None, &item)?,
                None => item,
            };
            if index > 0 {
                out.push_str(&separator);
            }
            out.push_str(&str(&item)?);
            if out.len() > OUTPUT {
                return Err(fault::other("the text grows beyond the limit"));
            }
        }
        Ok(Value::from(out))
    }),
    ("reverse", |_, value, _| {
        if let Value::Str(text) = &value {
            return Ok(Value::from(text.chars().rev().collect::<String>()));
        }
        if !items::iterable(&value) {
            return Err(fault::syntax("argument must be iterable"));
        }
        let name = match value {
            Value::List(_) => "list_reverseiterator",
            Value::Dict(_) => "dict_reversekeyiterator",
            _ => "reverse_iterator",
        };
        let mut all = items::collect(&value)?;
        all.reverse();
        Ok(Generator::value(name, all))
    }),
    ("batch", |_, value, args| {
        let bound = args.bind("do_batch", ["linecount", "fill_with"], 1)?;
        let size = width(bound.int(0, 1)?)?;
        if size == 0 {
            // Each row stays empty until the first item is in it.
            let all = items::collect(&value)?;
            let mut rows = Vec::new();
            if !all.is_empty() {
                rows.extend([Value::list(Vec::new()), Value::list(all)]);
            }
            return Ok(Generator::value("do_batch", rows));
        }
        let mut rows = Vec::new();
        for chunk in items::collect(&value)?.chunks(size) {
            let mut row = chunk.to_vec();
            if let Some(fill) = bound.some(1) {
                row.resize(size, fill.clone());
            }
            rows.push(Value::list(row));
        }
        Ok(Generator::value("do_batch", rows))
    }),
    ("slice", |_, value, args| {
        let bound = args.bind("sync_do_slice", ["slices", "fill_with"], 1)?;
        let slices = width(bound.int(0, 1)?)?;
        let all = items::collect(&value)?;
        if slices == 0 {
            return Err(fault::other("integer division or modulo by zero"));
        }
        if slices > ops::LONGEST {
            return Err(fault::other("the list grows beyond the limit"));
        }
        let (size, extra) = (all.len() / slices, all.len() % slices);
        let mut at = 0;
        let mut columns = Vec::new();
        for index in 0..slices {
            let end = at + size + usize::from(index < extra);
            let mut column = all[at..end].to_vec();
            at = end;
            if index >= extra {
                column.extend(bound.some(1).cloned());
            }
            columns.push(Value::list(column));
        }
        Ok(Generator::value("sync_do_slice", columns))
    }),
    ("sum", |it, value, args| {
        let bound = args.bind("sync_do_sum", ["attribute", "start"], 0)?;
        let mut total = bound.get(1).cloned().unwrap_or(Value::Int(0));
        for item in items::collect(&value)? {
            let item = match bound.some(0) {
                Some(attribute) => getter(it, attribute, None, &item)?,
                None => item,
            };
            total = ops::math(MathOp::Add, &total, &item)?;
        }
        Ok(total)
    }),
    ("min", |_, value, args| {
        none_of(&args, "lst_min")?;
        extreme(&value, true)
    }),
    ("max", |_, value, args| {
        none_of(&args, "lst_max")?;
        extreme(&value, false)
    }),
    ("items", |_, value, _| match &value {
        Value::Undefined(_) => Ok(Generator::value("do_items", Vec::new())),
        Value::Dict(dict) => {
            let view = View {
                dict: dict.clone(),
                kind: ViewKind::Items,
            };
            Ok(Generator::value(
                "do_items",
                items::collect(&Value::object(view))?,
            ))
        }
        _ => Err(fault::other("Can only get item pairs from a mapping.")),
    }),
    ("dictsort", |_, value, args| {
        let bound = args.bind("do_dictsort", ["case_sensitive", "by", "reverse"], 0)?;
        let sensitive = bound.truth(0, false)?;
        let by = bound.text_or(1, "key")?;
        if by != "key" && by != "value" {
            return Err(fault::syntax("You can only sort by either \"key\" or \"value\""));
        }
        let Value::Dict(dict) = &value else {
            if let Value::Undefined(undefined) = &value {
                return Err(crate::compile::jinja::values::text::refuse(undefined));
            }
            return Err(fault::other(format!(
                "'{}' object has no attribute 'items'",
                value.type_name()
            )));
        };
        let (mut keys, mut pairs) = (Vec::new(), Vec::new());
        for (key, value) in dict.pairs() {
            let sort_key = if by == "key" {
                key.value().clone()
            } else {
                value.clone()
            };
            keys.push(if sensitive { sort_key } else { lower(sort_key) });
            pairs.push(Value::tuple(vec![key.value().clone(), value]));
        }
        sorting::sort_by_key(pairs, keys, bound.truth(2, false)?).map(Value::list)
    }),
];

/// Salt's own filters take the place of Jinja's, and take none of their arguments.
pub(super) fn none_of(args: &CallArgs, function: &str) -> Res<()> {
    if !args.positional.is_empty() {
        let given = args.positional.len() + 1;
        return Err(fault::other(format!(
            "{function}() takes 1 positional argument but {given} were given"
        )));
    }
    args.clone().bind(function, [], 0).map(drop)
}

fn extreme(value: &Value, least: bool) -> Res<Value> {
    let mut best: Option<Value> = None;
    for item in items::collect(value)? {
        best = Some(match best {
            None => item,
            Some(best) => {
                let (sign, wanted) = if least {
                    ("<", Ordering::Less)
                } else {
                    (">", Ordering::Greater)
                };
                let better = ops::order(&item, &best, sign)? == Some(wanted);
                if better { item } else { best }
            }
        });
    }
    best.ok_or_else(|| {
        fault::other(format!(
            "{}() arg is an empty sequence",
            if least { "min" } else { "max" }
        ))
    })
}
