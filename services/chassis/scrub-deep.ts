/** Scrubs what is inside of a value, and copies it only when there is something to scrub. */

export interface TextScrub {
  readonly text: (text: string) => string;
  /** The same for the keys of objects, of which there are few. */
  readonly key: (key: string) => string;
}

export function scrubDeep<T>(value: T, scrub: TextScrub): T {
  if (typeof value === 'string') return scrub.text(value) as T;
  return isContainer(value) && holdsSecret(value, scrub) ? (copyOf(value, scrub) as T) : value;
}

type Container = Record<string, unknown> | unknown[];

function isContainer(value: unknown): value is Container {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype) return true;
  // What avsc decodes is of classes that it makes, with plain fields; buffers, dates and maps say that they are more.
  return Object.prototype.toString.call(value) === '[object Object]';
}

/** Without recursion: what a model answers may be nested deeper than the stack. */
function holdsSecret(root: Container, { text, key: keyOf }: TextScrub): boolean {
  const waiting: Container[] = [root];
  let seen: Set<Container> | null = null;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const isArray = Array.isArray(next);
    for (const key of Object.keys(next)) {
      const value = (next as Record<string, unknown>)[key];
      if (!isArray && keyOf(key) !== key) return true;
      if (typeof value === 'string') {
        if (text(value) !== value) return true;
      } else if (isContainer(value)) {
        seen ??= new Set([root]);
        if (!seen.has(value)) {
          seen.add(value);
          waiting.push(value);
        }
      }
    }
  }
  return false;
}

function copyOf(root: Container, { text, key: keyOf }: TextScrub): Container {
  const copies = new Map<Container, Container>();
  const waiting: Container[] = [];
  const copied = (value: unknown): unknown => {
    if (typeof value === 'string') return text(value);
    if (!isContainer(value)) return value;
    let copy = copies.get(value);
    if (copy === undefined) {
      copy = Array.isArray(value)
        ? []
        : (Object.create(Object.getPrototypeOf(value)) as Record<string, unknown>);
      copies.set(value, copy);
      waiting.push(value);
    }
    return copy;
  };
  copied(root);
  for (let from = waiting.pop(); from !== undefined; from = waiting.pop()) {
    const to = copies.get(from);
    if (Array.isArray(from) && Array.isArray(to)) for (const item of from) to.push(copied(item));
    else
      for (const [key, value] of Object.entries(from))
        setOwn(to as object, free(keyOf(key), to as object), copied(value));
  }
  return copies.get(root) ?? root;
}

/** Not by assignment: `__proto__` is a key like any other. */
function setOwn(to: object, key: string, value: unknown): void {
  Object.defineProperty(to, key, { value, writable: true, enumerable: true, configurable: true });
}

/** Two secrets as keys must not become one key. */
function free(key: string, taken: object): string {
  let name = key;
  for (let n = 2; Object.hasOwn(taken, name); n++) name = `${key}#${n}`;
  return name;
}
