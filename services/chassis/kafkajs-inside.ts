import { createRequire } from 'node:module';
import { z } from 'zod';
import { Failure } from './failures.ts';

/**
 * Puts another method into a class of kafkajs's that it does not export, once a process. Its version is pinned, and a
 * client that looks otherwise is refused at start. `Method` is what kafkajs 2.2.4 has there.
 */
export function replaceMethod<Method extends (...given: never[]) => unknown>(
  module: 'kafkajs/src/cluster' | 'kafkajs/src/broker',
  name: string,
  replacement: (original: Method) => Method,
): void {
  const found = classWith<Method>(name).safeParse(createRequire(import.meta.url)(module));
  if (!found.success) {
    throw new Failure('internal_error', `found no method ${name} in ${module}, expected kafkajs 2.2.4`);
  }
  const { prototype } = found.data;
  const original = prototype[name];
  if (original === undefined || replaced.has(original)) return;
  const method = replacement(original);
  replaced.add(method);
  prototype[name] = method;
}

const replaced = new WeakSet<(...given: never[]) => unknown>();

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
