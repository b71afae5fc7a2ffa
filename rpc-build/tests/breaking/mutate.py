#!/usr/bin/env python3
"""Writes an archive of random pairs: a rich schema, and the same after some random changes.

    python3 rpc-build/tests/breaking/mutate.py FOLDER PAIRS SEED

makes FOLDER/cases/random.txt. Then, to compare our verdicts with buf's on all of them:

    python3 rpc-build/tests/breaking/oracle.py --folder FOLDER
    BREAKING_CORPUS=FOLDER cargo test -p rpc-build --test breaking verdicts

Pairs that buf cannot compile are left out. cases/random.txt beside this script is what `. 40 1` gave.
"""

import copy
import pathlib
import random
import subprocess
import sys
import tempfile

SCALARS = "int32 int64 uint32 uint64 sint32 sint64 fixed32 fixed64 sfixed32 sfixed64 bool float double string bytes".split()
KEYS = "int32 int64 uint32 sint64 fixed32 bool string".split()
PACKAGES = ["a.v1", "a.v1", "b.v1", "b.v1beta1"]
FILE_OPTIONS = {"go_package": '"{}"', "java_package": '"{}"', "csharp_namespace": '"{}"', "ruby_package": '"{}"'}


class Node:
    def __init__(self, **values):
        self.__dict__.update(values)


class World:
    def __init__(self, rng):
        self.rng, self.names, self.files = rng, 0, []
        for index in range(rng.randint(1, 3)):
            syntax = rng.choice(["proto3", "proto3", "proto2"])
            self.files.append(Node(name=f"f{index}.proto", package=rng.choice(PACKAGES), syntax=syntax, options={}, messages=[],
                                   enums=[], services=[], extensions=[]))
        for file in self.files:
            for _ in range(rng.randint(0, 2)):
                file.enums.append(self.enum())
            for _ in range(rng.randint(1, 4)):
                file.messages.append(self.message(file, 0))
            for _ in range(rng.randint(0, 2)):
                file.services.append(Node(name=self.name("S"), methods=[self.method() for _ in range(rng.randint(1, 3))]))

    def name(self, prefix):
        self.names += 1
        return f"{prefix}{self.names}"

    def numbers(self, taken):
        number = self.rng.randint(1, 30)
        while number in taken:
            number += 1
        taken.add(number)
        return number

    def enum(self):
        values = [Node(name=self.name("V"), number=number) for number in [0, *sorted(self.rng.sample(range(1, 9), self.rng.randint(0, 4)))]]
        return Node(name=self.name("E"), values=values, numbers=self.ranges(20, 40), reserved=self.reserved(), alias=False)

    def ranges(self, first, last):
        ranges = []
        while self.rng.random() < 0.4 and first < last:
            start = self.rng.randint(first, last)
            end = start + self.rng.choice([0, 0, 1, 5])
            ranges.append((start, end))
            first = end + 1
        return ranges

    def reserved(self):
        return [self.name("old_") for _ in range(self.rng.choice([0, 0, 0, 1, 2]))]

    def message(self, file, depth):
        rng, taken = self.rng, set()
        message = Node(name=self.name("M"), fields=[], numbers=self.ranges(40, 60), reserved=self.reserved(), messages=[], enums=[],
                       extension_ranges=self.ranges(100, 200) if file.syntax == "proto2" else [], accessor=False)
        for _ in range(rng.randint(0, 6)):
            message.fields.append(self.field(self.numbers(taken)))
        if depth < 2:
            message.messages = [self.message(file, depth + 1) for _ in range(rng.choice([0, 0, 1, 2]))]
            message.enums = [self.enum() for _ in range(rng.choice([0, 0, 1]))]
        return message

    def field(self, number):
        rng = self.rng
        return Node(name=self.name("field_"), number=number, type=self.type(), oneof=rng.choice([None] * 6 + ["one", "two"]), default=None,
                    label=rng.choice(["", "", "optional", "repeated", "required"]), key=rng.choice([None] * 6 + KEYS), json=None, option="")

    def type(self):
        return self.rng.choice(SCALARS * 3 + ["message"] * 15 + ["enum"] * 10)

    def method(self):
        rng = self.rng
        return Node(name=self.name("R"), input=rng.random(), output=rng.random(), streams=[rng.random() < 0.3, rng.random() < 0.3],
                    level=rng.choice(["", "", "IDEMPOTENT", "NO_SIDE_EFFECTS", "IDEMPOTENCY_UNKNOWN"]))

    def all_messages(self):
        found = []

        def walk(messages):
            for message in messages:
                found.append(message)
                walk(message.messages)

        for file in self.files:
            walk(file.messages)
        return found

    def all_enums(self):
        return [enum for holder in [*self.files, *self.all_messages()] for enum in holder.enums]

    def settle(self):
        """Gives named types to the fields and methods that want one, from their own file or one before it."""
        messages, enums = [], []

        def collect(holder, path):
            for enum in holder.enums:
                enums.append((f"{path}.{enum.name}", file.syntax, enum))
            for message in holder.messages:
                messages.append(f"{path}.{message.name}")
                collect(message, f"{path}.{message.name}")

        def assign(holder):
            for message in holder.messages:
                for field in message.fields:
                    usable = [name for name, syntax, _ in enums if file.syntax == "proto2" or syntax == "proto3"]
                    if field.type == "message":
                        field.type = "." + self.rng.choice(messages)
                    elif field.type == "enum":
                        field.type = "." + self.rng.choice(usable) if usable else "int32"
                assign(message)

        for file in self.files:
            collect(file, file.package)
            assign(file)
            for service in file.services:
                for method in service.methods:
                    for side in ["input", "output"]:
                        if isinstance(getattr(method, side), float):
                            setattr(method, side, "." + self.rng.choice(messages) if messages else ".none")


def render(world):
    owners = {}
    for file in world.files:
        def own(holder, path):
            for enum in holder.enums:
                owners[f".{path}.{enum.name}"] = file.name
            for message in holder.messages:
                owners[f".{path}.{message.name}"] = file.name
                own(message, f"{path}.{message.name}")
        own(file, file.package)
    return {file.name: render_file(file, owners) for file in world.files}


def render_file(file, owners):
    lines, used = [], set()

    def reserved(holder, pad):
        if holder.numbers:
            ranges = [f"{first} to {last}" if last > first else str(first) for first, last in holder.numbers]
            lines.append(f"{pad}reserved {', '.join(ranges)};")
        if holder.reserved:
            names = ', '.join(f'"{name}"' for name in holder.reserved)
            lines.append(f"{pad}reserved {names};")

    def enum(it, pad):
        lines.append(f"{pad}enum {it.name} {{")
        if it.alias:
            lines.append(f"{pad}  option allow_alias = true;")
        for value in it.values:
            lines.append(f"{pad}  {value.name} = {value.number};")
        reserved(it, pad + "  ")
        lines.append(pad + "}")

    def field(it, pad, in_oneof):
        used.add(it.type)
        attributes = [f'json_name = "{it.json}"'] if it.json else []
        text = f"{it.type} {it.name} = {it.number}"
        if it.key and not in_oneof:
            text = f"map<{it.key}, {it.type}> {it.name} = {it.number}"
        elif not in_oneof:
            label = it.label if file.syntax == "proto2" or it.label != "required" else "optional"
            label = label or ("optional" if file.syntax == "proto2" else "")
            text = f"{label} {text}".strip()
        singular = not it.key and it.label != "repeated" or in_oneof
        if it.default is not None and file.syntax == "proto2" and singular and not it.type.startswith("."):
            default = {"string": f'"{it.default}"', "bytes": f'"{it.default}"', "bool": "true" if it.default % 2 else "false"}
            attributes.append(f"default = {default.get(it.type, abs(it.default))}")
        if it.option.startswith("jstype") and "64" in it.type and (in_oneof or not it.key):
            attributes.append(it.option)
        if it.option.startswith("ctype") and it.type in ("string", "bytes") and (in_oneof or not it.key):
            attributes.append(it.option)
        lines.append(f"{pad}{text}{' [' + ', '.join(attributes) + ']' if attributes else ''};")

    def message(it, pad):
        lines.append(f"{pad}message {it.name} {{")
        if it.accessor:
            lines.append(f"{pad}  option no_standard_descriptor_accessor = true;")
        for one in it.fields:
            if not one.oneof:
                field(one, pad + "  ", False)
        for oneof in sorted({one.oneof for one in it.fields if one.oneof}):
            lines.append(f"{pad}  oneof {oneof} {{")
            for one in it.fields:
                if one.oneof == oneof:
                    field(one, pad + "    ", True)
            lines.append(pad + "  }")
        reserved(it, pad + "  ")
        if it.extension_ranges and file.syntax == "proto2":
            lines.append(f"{pad}  extensions {', '.join(f'{first} to {last}' for first, last in it.extension_ranges)};")
        for nested in it.enums:
            enum(nested, pad + "  ")
        for nested in it.messages:
            message(nested, pad + "  ")
        lines.append(pad + "}")

    for one in file.enums:
        enum(one, "")
    for one in file.messages:
        message(one, "")
    for service in file.services:
        lines.append(f"service {service.name} {{")
        for method in service.methods:
            used.update([method.input, method.output])
            streams = ["stream " if stream else "" for stream in method.streams]
            level = f" {{\n    option idempotency_level = {method.level};\n  }}" if method.level else ";"
            lines.append(f"  rpc {method.name}({streams[0]}{method.input}) returns ({streams[1]}{method.output}){level}")
        lines.append("}")
    head = [f'syntax = "{file.syntax}";', f"package {file.package};"]
    head += [f'import "{name}";' for name in sorted({owners.get(name, file.name) for name in used} - {file.name})]
    head += [f"option {name} = {value};" for name, value in sorted(file.options.items())]
    return "\n".join(head + lines) + "\n"


def change(world):
    """One random change, in place."""
    rng = world.rng
    messages, enums = world.all_messages(), world.all_enums()
    fields = [(message, field) for message in messages for field in message.fields]
    services = [service for file in world.files for service in file.services]
    methods = [(service, method) for service in services for method in service.methods]
    kind = rng.choice("field field field field field message enum enum file service method method method".split())
    if kind == "field" and fields:
        message, field = rng.choice(fields)
        what = rng.randrange(13)
        if what <= 1:
            message.fields.remove(field)
            if rng.random() < 0.5:
                message.numbers.append((field.number, field.number))
            if rng.random() < 0.5:
                message.reserved.append(field.name)
        elif what <= 3:
            field.type = rng.choice(SCALARS + ["message", "enum"])
        elif what == 4:
            field.name = world.name("field_")
        elif what == 5:
            field.label = rng.choice(["", "optional", "repeated", "required"])
        elif what == 6:
            field.oneof = rng.choice([None, "one", "two", "three"])
        elif what == 7:
            field.json = rng.choice([None, world.name("json")])
        elif what == 8:
            field.key = rng.choice([None, *KEYS])
        elif what == 9:
            field.default = rng.choice([None, 0, 1, 7])
        elif what == 10:
            field.number = world.numbers({one.number for one in message.fields})
        elif what == 11:
            field.option = rng.choice(["", "jstype = JS_STRING", "jstype = JS_NUMBER", "ctype = CORD", "ctype = STRING_PIECE"])
        else:
            rng.shuffle(message.fields)
    elif kind == "message" and messages:
        message = rng.choice(messages)
        what = rng.randrange(7)
        if what == 0:
            message.numbers = world.ranges(40, 60)
        elif what == 1 and message.reserved:
            message.reserved.pop()
        elif what == 2:
            message.extension_ranges = world.ranges(100, 200)
        elif what == 3:
            message.accessor = not message.accessor
        elif what == 4:
            message.fields.append(world.field(world.numbers({one.number for one in message.fields})))
        elif what == 5:
            message.name = world.name("M")
        elif message.messages or message.enums:
            message.messages, message.enums = message.messages[1:], message.enums[1:]
    elif kind == "enum" and enums:
        enum = rng.choice(enums)
        value = rng.choice(enum.values)
        what = rng.randrange(6)
        if what <= 1 and value.number:
            enum.values.remove(value)
            if rng.random() < 0.5:
                enum.numbers.append((value.number, value.number))
            if rng.random() < 0.5:
                enum.reserved.append(value.name)
        elif what == 2:
            value.name = world.name("V")
        elif what == 3:
            enum.alias = True
            enum.values.append(Node(name=world.name("V"), number=value.number))
        elif what == 4:
            enum.numbers = world.ranges(20, 40)
        elif enum.reserved:
            enum.reserved.pop()
    elif kind == "file":
        file = rng.choice(world.files)
        what = rng.randrange(6)
        if what == 0:
            name = rng.choice(sorted(FILE_OPTIONS))
            file.options[name] = FILE_OPTIONS[name].format(world.name("o"))
        elif what == 1:
            file.options["optimize_for"] = rng.choice(["SPEED", "CODE_SIZE", "LITE_RUNTIME"])
        elif what == 2:
            file.syntax = rng.choice(["proto2", "proto3"])
        elif what == 3 and len(world.files) > 1:
            other = rng.choice(world.files)
            holder = rng.choice(["messages", "enums", "services"])
            if getattr(file, holder):
                getattr(other, holder).append(getattr(file, holder).pop())
        elif what == 4 and len(world.files) > 1:
            world.files.remove(file)
        else:
            holder = rng.choice(["messages", "enums", "services"])
            if getattr(file, holder):
                getattr(file, holder).pop()
    elif kind == "service" and services:
        service = rng.choice(services)
        if rng.random() < 0.5:
            service.methods.pop(rng.randrange(len(service.methods))) if len(service.methods) > 1 else None
        else:
            service.methods.append(world.method())
    elif kind == "method" and methods:
        _, method = rng.choice(methods)
        what = rng.randrange(4)
        if what == 0:
            method.streams[rng.randrange(2)] ^= True
        elif what == 1:
            method.level = rng.choice(["", "IDEMPOTENT", "NO_SIDE_EFFECTS", "IDEMPOTENCY_UNKNOWN"])
        elif what == 2:
            method.input = rng.random()
        else:
            method.output = rng.random()


def compiles(files):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            (pathlib.Path(folder) / name).write_text(text)
        return subprocess.run(["buf", "build", "."], cwd=folder, capture_output=True).returncode == 0


def main():
    folder, pairs, seed = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    archive, made = "", 0
    while made < pairs:
        rng = random.Random(seed * 1_000_003 + made * 7919 + len(archive))
        world = World(rng)
        world.settle()
        old = render(world)
        if not compiles(old):
            archive += "\n"  # another seed for the next try
            continue
        for _ in range(20):
            changed = copy.deepcopy(world)
            changed.rng = rng
            for _ in range(rng.choice([1, 1, 2, 3, 5, 8])):
                change(changed)
            changed.settle()
            new = render(changed)
            if new != old and compiles(new):
                break
        else:
            archive += "\n"
            continue
        made += 1
        archive += f"=== seed_{seed}_{made}\n"
        for name in sorted({*old, *new}):
            if old.get(name) == new.get(name):
                archive += f"--- both {name}\n{old[name]}"
                continue
            archive += f"--- old {name}\n{old[name]}" if name in old else ""
            archive += f"--- new {name}\n{new[name]}" if name in new else ""
    (folder / "cases").mkdir(parents=True, exist_ok=True)
    text = "".join(line for line in archive.splitlines(keepends=True) if line.strip())
    (folder / "cases" / "random.txt").write_text(text)


if __name__ == "__main__":
    main()
