import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import lz4 from 'lz4-napi';
import snappy from 'snappy';
import { CompressionCodecs, CompressionTypes } from './kafkajs.ts';

/**
 * kafkajs knows only gzip, and a batch in another codec ends the consumer. rpk compresses with snappy unless told
 * otherwise, so every codec of Kafka is registered, once, for all clients of the process.
 */
export function registerCodecs(): void {
  CompressionCodecs[CompressionTypes.Snappy] = codec(compressSnappy, decompressSnappy);
  CompressionCodecs[CompressionTypes.LZ4] = codec(
    (bytes) => lz4.compressFrameSync(bytes),
    (bytes) => lz4.decompressFrameSync(bytes),
  );
  CompressionCodecs[CompressionTypes.ZSTD] = codec(zstdCompressSync, (bytes) =>
    zstdDecompressSync(bytes, { maxOutputLength: mostBytes }),
  );
}

/** A batch that grows beyond this was made to do harm: the largest that a broker takes compresses 100 MiB of zeros. */
const mostBytes = 256 * 1024 * 1024;

type Bytes = (bytes: Buffer) => Buffer;

const codec = (compress: Bytes, decompress: Bytes) => () => ({
  compress: (encoder: { readonly buffer: Buffer }) => Promise.resolve(compress(encoder.buffer)),
  decompress: (bytes: Buffer) => Promise.resolve(decompress(bytes)),
});

/** Java's clients and brokers frame snappy as the library of Xerial does: a header, then blocks with their lengths. */
const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const xerialHeader = Buffer.concat([xerialMagic, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])]);

function compressSnappy(bytes: Buffer): Buffer {
  const block = snappy.compressSync(bytes);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(block.length);
  return Buffer.concat([xerialHeader, length, block]);
}

function decompressSnappy(bytes: Buffer): Buffer {
  if (!bytes.subarray(0, xerialMagic.length).equals(xerialMagic)) return uncompress(bytes);
  const blocks: Buffer[] = [];
  for (let at = xerialHeader.length; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    blocks.push(uncompress(bytes.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return Buffer.concat(blocks);
}

function uncompress(block: Buffer): Buffer {
  const bytes = snappy.uncompressSync(block, { asBuffer: true });
  return typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
}
