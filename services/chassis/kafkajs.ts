/**
 * The one door to kafkajs: what is mended in it has to be in place before its own files load each other, so everything
 * that uses it at run time imports it from here.
 */
import './kafkajs-repairs.ts';

// oxlint-disable-next-line no-restricted-imports -- this is that door
import kafkajs from 'kafkajs';

export const {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  AssignerProtocol,
  CompressionCodecs,
  CompressionTypes,
  ConfigResourceTypes,
  ConfigSource,
  Kafka,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSProtocolError,
  logLevel,
  Partitioners,
  ResourcePatternTypes,
} = kafkajs;
