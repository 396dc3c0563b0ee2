# The commands of this repository. `make demo` and `make test` need nothing set up beforehand but Rust, and root.

CARGO ?= cargo
JOBS ?= 2

.PHONY: build test lint bench demo setup peers oracle fuzz torture lab-mysql

build:
	$(CARGO) build --locked -j$(JOBS) --workspace

# Installs what the tests need and this machine lacks.
setup:
	tests/setup.sh

test: setup build
	$(CARGO) test --locked -j$(JOBS) --workspace

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked -j$(JOBS) --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' $(CARGO) doc --locked -j$(JOBS) --workspace --no-deps --document-private-items
	command -v cargo-deny > /dev/null || $(CARGO) install --locked -j$(JOBS) cargo-deny
	$(CARGO) deny check bans licenses sources
	tests/advisories.sh

# Figures on this machine, each beside its target. PEERS=DIR compares with the tools `make peers` installs there.
bench: setup
	$(CARGO) build --locked --release -j$(JOBS) -p salt-rs
	$(CARGO) run --locked --release -j$(JOBS) -p salt-rs-tests --bin bench

# Ansible, pyinfra and salt-ssh in a virtual environment, to be compared with.
peers: setup
	tests/peers.sh $${PEERS:-/var/cache/salt-rs-lab/peers}

# Whether real Salt still answers the cases in tests/cases as recorded; `tests/oracle.sh` records.
oracle: setup
	tests/oracle.sh --check

# Trees that nobody would write, for FOR=600 seconds; SEED=N are others. What goes wrong is left small in target/fuzz.
fuzz:
	$(CARGO) run --quiet --locked -j$(JOBS) -p salt-rs-tests --bin fuzz -- $${FOR:-600} --seed $${SEED:-$$(date +%s)}

# The agent killed, failing, without power, with flipped bits, at every call that changes something; ARGS="kill --kind user" is
# one sweep of one kind. A breach names the arguments that show it again; `make test` runs a sample.
torture: setup build
	SALT_RS_LAWS=whole $(CARGO) test --quiet --locked -j$(JOBS) -p salt-rs-minion --lib undo::tests -- --nocapture
	$(CARGO) run --quiet --locked -j$(JOBS) -p salt-rs-tests --bin torture -- $(ARGS)

# Eleven real hosts on this machine: made, converged, checked, broken, rolled back, and taken down.
demo: setup
	$(CARGO) run --quiet --locked -j$(JOBS) -p salt-rs -- lab demo

# The database states on MySQL itself, on two hosts of a Debian that has it; `make test` has them on MariaDB.
lab-mysql: setup build
	SALT_RS_TEST_MYSQL=1 $(CARGO) test --locked -j$(JOBS) -p salt-rs-tests --test it mysql::the_same_on_mysql_itself
