//! `sys.*`: what functions there are; and a few readers that have no module of their own.

use std::collections::{BTreeMap, BTreeSet};

use proto::{Address, Value};
use serde_json::json;

use super::{Function, all};

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "sys.list_functions",
        params: "*modules",
        doc: "List all execution functions, sorted",
        run: |_, args| {
            let wanted = args.texts();
            let names: BTreeSet<&str> = all()
                .map(|function| function.name)
                .filter(|name| {
                    wanted.is_empty()
                        || wanted
                            .iter()
                            .any(|module| name.split('.').next() == Some(module) || name == module)
                })
                .collect();
            Ok(json!(names))
        },
    },
    Function {
        name: "sys.list_modules",
        params: "",
        doc: "List all modules of execution functions, sorted",
        run: |_, _| {
            let names: BTreeSet<&str> = all()
                .filter_map(|function| function.name.split('.').next())
                .collect();
            Ok(json!(names))
        },
    },
    Function {
        name: "sys.doc",
        params: "*names",
        doc: "Give the reference text of functions",
        run: |_, args| {
            let wanted = args.texts();
            let texts: BTreeMap<&str, String> = all()
                .filter(|function| {
                    wanted.is_empty()
                        || wanted.iter().any(|name| {
                            function.name == name || function.name.split('.').next() == Some(name)
                        })
                })
                .map(|function| {
                    (
                        function.name,
                        format!("{}({})\n{}", function.name, function.params, function.doc),
                    )
                })
                .collect();
            Ok(json!(texts))
        },
    },
    Function {
        name: "sysctl.get",
        params: "name",
        doc: "Give the live value of a kernel setting",
        run: |live, args| match live.read(&Address::Sysctl(args.need("name")?)) {
            Ok(Value::Text(text)) => Ok(json!(text)),
            Ok(_) => Ok(json!("")),
            Err(problem) => Err(problem.text),
        },
    },
    Function {
        name: "environ.get",
        params: "key, default=",
        doc: "Give a variable of the agent's own environment",
        run: |_, args| {
            let key = args.need("key")?;
            Ok(json!(
                std::env::var(&key).unwrap_or_else(|_| args.text("default").unwrap_or_default())
            ))
        },
    },
    Function {
        name: "timezone.get_zone",
        params: "",
        doc: "Give the host's time zone",
        run: |live, _| Ok(live.grain("locale_info:timezone").unwrap_or_default()),
    },
];
