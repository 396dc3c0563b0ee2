//! Methods of lists and tuples.

use std::rc::Rc;

use crate::compile::jinja::args::CallArgs;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::eval::Interp;
use crate::compile::jinja::values::text::repr;
use crate::compile::jinja::values::{List, Value, items, ops, sorting};

pub(super) const NAMES: &[&str] = &[
    "append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort",
];

pub(super) fn call(it: &mut Interp<'_>, list: &Rc<List>, name: &str, args: CallArgs) -> Res<Value> {
    let len = list.items.borrow().len();
    match name {
        "append" => {
            let value = args.bind("list.append", ["object"], 1)?.value(0);
            grown(len + 1)?;
            list.items.borrow_mut().push(value);
        }
        "clear" => {
            let old = std::mem::take(&mut *list.items.borrow_mut());
            drop(old);
        }
        "copy" => return Ok(Value::list(list.items.borrow().clone())),
        "extend" => {
            let more = items::collect(&args.bind("list.extend", ["iterable"], 1)?.value(0))?;
            grown(len + more.len())?;
            list.items.borrow_mut().extend(more);
        }
        "insert" => {
            let bound = args.bind("insert", ["index", "object"], 2)?;
            let index = place(bound.int(0, 0)?, len);
            grown(len + 1)?;
            list.items.borrow_mut().insert(index, bound.value(1));
        }
        "pop" => {
            let index = args.bind("pop", ["index"], 0)?.int(0, -1)?;
            if len == 0 {
                return Err(fault::other("pop from empty list"));
            }
            let index = if index < 0 { index + len as i128 } else { index };
            return match usize::try_from(index) {
                Ok(index) if index < len => Ok(list.items.borrow_mut().remove(index)),
                _ => Err(fault::other("pop index out of range")),
            };
        }
        "remove" => {
            let value = args.bind("list.remove", ["value"], 1)?.value(0);
            let all = list.items.borrow().clone();
            for (index, item) in all.iter().enumerate() {
                if ops::equal(item, &value)? {
                    let removed = list.items.borrow_mut().remove(index);
                    drop(removed);
                    return Ok(Value::None);
                }
            }
            return Err(fault::other("list.remove(x): x not in list"));
        }
        "reverse" => list.items.borrow_mut().reverse(),
        "sort" => {
            let bound = args.bind("sort", ["key", "reverse"], 0)?;
            let reverse = bound.truth(1, false)?;
            let all = list.items.borrow().clone();
            let keys = match bound.some(0) {
                None => all.clone(),
                Some(key) => {
                    let key = key.clone();
                    let mut keys = Vec::with_capacity(all.len());
                    for item in &all {
                        keys.push(it.call(&key, CallArgs::of(vec![item.clone()]))?);
                    }
                    keys
                }
            };
            let sorted = sorting::sort_by_key(all, keys, reverse)?;
            let old = std::mem::replace(&mut *list.items.borrow_mut(), sorted);
            drop(old);
        }
        _ => {
            let all = list.items.borrow().clone();
            return search(&all, "list", name, args);
        }
    }
    Ok(Value::None)
}

fn grown(len: usize) -> Res<()> {
    if len > ops::LONGEST {
        return Err(fault::other("the list grows beyond the limit"));
    }
    Ok(())
}

fn place(index: i128, len: usize) -> usize {
    let index = if index < 0 { index + len as i128 } else { index };
    usize::try_from(index.clamp(0, len as i128)).unwrap_or(len)
}

/// `count` and `index`.
pub(super) fn search(all: &[Value], kind: &str, name: &str, args: CallArgs) -> Res<Value> {
    let bound = args.bind(name, ["value", "start", "stop"], 1)?;
    let value = bound.value(0);
    if name == "count" {
        let mut count = 0usize;
        for item in all {
            count += usize::from(ops::equal(item, &value)?);
        }
        return Ok(count.into());
    }
    let start = place(bound.int(1, 0)?, all.len());
    let stop = place(bound.int(2, all.len() as i128)?, all.len());
    for (index, item) in all.iter().enumerate().take(stop).skip(start) {
        if ops::equal(item, &value)? {
            return Ok(index.into());
        }
    }
    Err(fault::other(if kind == "tuple" {
        "tuple.index(x): x not in tuple".to_owned()
    } else {
        format!("{} is not in list", repr(&value)?)
    }))
}
