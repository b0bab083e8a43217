import { createRequire } from 'node:module';
import { z } from 'zod';
import { Failure } from './failures.ts';

// What is put into kafkajs where it has no setting and no plug. Its version is pinned, and a client that looks
// otherwise is refused at start. Once a process, before the first client is made.

const load = createRequire(import.meta.url);
const replaced = new WeakSet<object>();

type Fn = (...given: never[]) => unknown;

/** Puts another method into a class. `Method` is what kafkajs 2.2.4 has there. */
export function replaceMethod<Method extends Fn>(
  path: 'kafkajs/src/cluster' | 'kafkajs/src/broker' | 'kafkajs/src/consumer/consumerGroup',
  name: string,
  replacement: (original: Method) => Method,
): void {
  const found = classWith<Method>(name).safeParse(load(path));
  const original = found.data?.prototype[name];
  if (found.data === undefined || original === undefined) throw unexpected(`no method ${name} in ${path}`);
  if (replaced.has(original)) return;
  const method = replacement(original);
  replaced.add(method);
  found.data.prototype[name] = method;
}

/** Puts another function in the place of a module that is one, for those that load it from now on: `users` must not have. */
export function replaceFunction<Replaced extends Fn>(
  path: 'kafkajs/src/protocol/requests/fetch/v4/decodeMessages',
  users: RegExp,
  replacement: (original: Replaced) => Replaced,
): void {
  const original = z.custom<Replaced>((found) => typeof found === 'function').safeParse(load(path));
  const module = load.cache[load.resolve(path)];
  if (!original.success || module === undefined) throw unexpected(`no function in ${path}`);
  if (replaced.has(original.data)) return;
  const early = Object.keys(load.cache).find((loaded) => users.test(loaded));
  if (early !== undefined) throw unexpected(`${early} loaded before ${path} was replaced`);
  const replacing = replacement(original.data);
  replaced.add(replacing);
  module.exports = replacing;
}

function classWith<Method>(name: string) {
  return z.custom<{ readonly prototype: Record<string, Method> }>((candidate) => {
    if (typeof candidate !== 'function') return false;
    const prototype: unknown = candidate.prototype;
    return (
      typeof prototype === 'object' &&
      prototype !== null &&
      typeof Reflect.get(prototype, name) === 'function'
    );
  });
}

const unexpected = (found: string) => new Failure('internal_error', `found ${found}, expected kafkajs 2.2.4`);
