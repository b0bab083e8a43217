import { groupName, type ServiceName, type TopicSpec, topicNames, transactionalIdPrefix } from './table.ts';

/** What a service may do: least privilege, from the table alone. */
export interface AclBinding {
  readonly principal: string;
  readonly resource: 'topic' | 'group' | 'transactional_id' | 'cluster';
  readonly name: string;
  readonly pattern: 'literal' | 'prefixed';
  readonly operations: readonly ('read' | 'write' | 'describe' | 'delete' | 'idempotent_write')[];
}

export interface AclOptions {
  readonly prefix: string;
  /** The broker's name of who a service is; several services may be one. Default `User:<consumer group>`. */
  readonly principalOf?: (service: ServiceName) => string;
}

export function aclsFor(table: readonly TopicSpec[], options: AclOptions): AclBinding[] {
  const { prefix, principalOf = (service) => `User:${groupName(prefix, service)}` } = options;
  const services = [...new Set(table.flatMap(({ writers, readers }) => [...writers, ...readers]))].sort();
  return services.flatMap((service) => {
    const principal = principalOf(service);
    const writes = table.filter(({ writers }) => writers.includes(service));
    const reads = table.filter(({ readers }) => readers.includes(service));
    const may = (
      resource: AclBinding['resource'],
      name: string,
      operations: AclBinding['operations'],
      pattern: AclBinding['pattern'] = 'literal',
    ): AclBinding => ({ principal, resource, name, pattern, operations });
    const bindings = [
      ...writes.map(({ name }) => may('topic', name, ['write', 'describe'])),
      ...reads.map(({ name }) => may('topic', name, ['read', 'describe'])),
    ];
    if (reads.length > 0) {
      bindings.push(may('group', groupName(prefix, service), ['read', 'describe']));
      // Reading outside the service's group (a journal, a person's look at the ledger) is done in a throwaway one.
      bindings.push(may('group', `${prefix}.reader-`, ['read', 'describe', 'delete'], 'prefixed'));
    }
    // Kafka allows it to whoever may write a topic; Redpanda asks for it.
    if (writes.length > 0) bindings.push(may('cluster', 'kafka-cluster', ['idempotent_write']));
    // Transactions are for those who keep state.
    if (writes.some(({ name }) => name === topicNames(prefix).state(service))) {
      const ids = transactionalIdPrefix(prefix, service);
      bindings.push(may('transactional_id', ids, ['write', 'describe'], 'prefixed'));
    }
    return bindings;
  });
}
