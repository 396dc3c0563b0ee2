//! A few readers that need no module of their own.

use proto::{Address, Value};
use serde_json::json;

use super::Function;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "sysctl.get",
        params: "name",
        run: |live, args| match live.read(&Address::Sysctl(args.need("name")?)) {
            Ok(Value::Text(text)) => Ok(json!(text)),
            Ok(_) => Ok(json!("")),
            Err(problem) => Err(problem.text),
        },
    },
    Function {
        name: "environ.get",
        params: "key, default=",
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
        run: |live, _| Ok(live.grain("locale_info:timezone").unwrap_or_default()),
    },
];
