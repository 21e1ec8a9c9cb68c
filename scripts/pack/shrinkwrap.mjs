// The npm-shrinkwrap.json of the npm package, made from package-lock.json.

/**
 * The lock file of a package with one dependency: the versions and checksums that the project's own lock file has for it
 * and for everything that it needs. It has no addresses, so that npm uses the registry of the one who installs.
 *
 * @param {object} manifest package.json of the package.
 * @param {Record<string, object>} locked `packages` of the lock file, lockfileVersion 3.
 */
export function shrinkwrapOf(manifest, locked) {
  const needed = new Set();
  const queue = Object.keys(manifest.dependencies).map((name) => placeOf('', name, locked));
  for (let place = queue.pop(); place !== undefined; place = queue.pop()) {
    if (needed.has(place)) continue;
    needed.add(place);
    const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = locked[place];
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      const found = placeOf(place, name, locked);
      const isOptional = optionalDependencies?.[name] ?? peerDependenciesMeta?.[name]?.optional;
      if (found !== undefined) queue.push(found);
      else if (!isOptional)
        throw new Error(`package-lock.json has no ${name} for ${place}. Run npm install.`);
    }
  }
  const { name, version } = manifest;
  const packages = [...needed].sort().map((place) => {
    const { dev: _dev, resolved: _resolved, ...entry } = locked[place];
    return [place, entry];
  });
  return {
    name,
    version,
    lockfileVersion: 3,
    requires: true,
    packages: { '': manifest, ...Object.fromEntries(packages) },
  };
}

/** Where Node.js finds a package: in the node_modules of the place itself, else of the folders above. */
function placeOf(from, name, locked) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(folder.lastIndexOf('/node_modules/'), 0))) {
    const place = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (Object.hasOwn(locked, place)) return place;
    if (folder === '') return undefined;
  }
}
