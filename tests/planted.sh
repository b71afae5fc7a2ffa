# For the scripts that plant mistakes: `planted_tree` makes a copy of the project in $tree.

planted_tree() {
    rm -rf "$tree"
    mkdir -p "$tree"
    git ls-files -z --cached --others --exclude-standard \
        | while IFS= read -r -d '' file; do [ -f "$file" ] && printf '%s\0' "$file"; done \
        | tar --null -T - -cf - | tar -xf - -C "$tree"
    # A version of its own. Or cargo would take what it builds of the copy for the project's, mistakes included, and build
    # that again only when the copy changes.
    local version
    version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$tree/Cargo.toml")
    sed -i "s/\"\(=\?\)$version\"/\"\1$version-planted\"/" "$tree/Cargo.toml"
}
