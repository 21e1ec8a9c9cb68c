/*
 * References of container images, in the grammar of Docker (distribution/reference): [registry/]path[:tag][@digest].
 */

const PATH_PART = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;
const REGISTRY = /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?$/;
/** The most characters of a name without tag and digest. */
const LONGEST_NAME = 255;

interface ImageParts {
  readonly registry: string | undefined;
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/** Why no container engine can pull an image; undefined: the reference is well formed. */
export function imageProblem(image: string): string | undefined {
  if (image.trim() === '') return 'is empty: write the image, such as contoso.azurecr.io/sensor:1.0.3';
  if (/\s/.test(image)) return 'has a space: remove it';
  if (/^[a-z]+:\/\//i.test(image)) return 'has a scheme: write the registry without https://';
  // edgeAgent replaces $upstream and variables of its host before the engine sees the name.
  if (image.includes('$')) return undefined;
  const { registry, path, tag, digest } = partsOf(image);
  if (registry !== undefined && !REGISTRY.test(registry)) {
    return `has the registry "${registry}", which is not a host name: write such as contoso.azurecr.io`;
  }
  if (path.split('/').some((part) => !PATH_PART.test(part))) {
    return /[A-Z]/.test(path)
      ? `has upper-case letters in "${path}": container engines accept only lower-case names, so write ${path.toLowerCase()}`
      : `has the name "${path}", which no container engine accepts: write lower-case letters, digits, ".", "_", "-" and "/"`;
  }
  if (tag !== undefined && !TAG.test(tag))
    return `has the tag "${tag}": write at most 128 letters, digits, ".", "_" or "-"`;
  if (digest !== undefined && !DIGEST.test(digest))
    return `has the digest "${digest}": write such as sha256: and 64 hexadecimal digits`;
  if ((registry?.length ?? 0) + path.length > LONGEST_NAME)
    return `has a name longer than ${LONGEST_NAME} characters`;
  return undefined;
}

/**
 * Why the same reference may name another image tomorrow; undefined: it does not. Devices do not pull again while the text
 * of the image stays the same.
 */
export function movingTag(image: string): string | undefined {
  const { tag, digest } = partsOf(image);
  if (digest !== undefined) return undefined;
  if (tag === undefined) return 'has no tag, so devices use :latest';
  return tag === 'latest' ? 'has the tag latest' : undefined;
}

function partsOf(image: string): ImageParts {
  const [named = '', digest] = splitAt(image, image.indexOf('@'));
  const slash = named.indexOf('/');
  const first = slash === -1 ? '' : named.slice(0, slash);
  const isRegistry = /[.:A-Z]/.test(first) || first === 'localhost' || first.startsWith('$');
  const rest = isRegistry ? named.slice(slash + 1) : named;
  const colon = rest.lastIndexOf(':');
  const [path = '', tag] = splitAt(rest, colon > rest.lastIndexOf('/') ? colon : -1);
  return { registry: isRegistry ? first : undefined, path, tag, digest };
}

function splitAt(text: string, index: number): readonly [string, string?] {
  return index === -1 ? [text] : [text.slice(0, index), text.slice(index + 1)];
}
