import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Reads topics with Kafka's own client, committed records only, each partition from its beginning, and writes what it
 * reads to stdout: `java -cp <jars of Kafka> Reader.java <brokers> <topic>...`.
 *
 * Lines of fields that tabs separate, bytes as base64, `-` for what is null:
 *   ready
 *   record  topic partition offset timestamp key value headers     headers: name:value,name:value
 *   read    id                                                     answers `end id`
 *   gap     topic partition message                                the log no longer has what comes next
 *
 * It ends when its stdin does, so that it never outlives who started it, and for nothing else.
 */
public class Reader {
  /** Everything that these partitions held when it was asked is read: then `id` is answered. */
  private record Asked(String id, Map<TopicPartition, Long> ends) {}

  private final Map<String, Object> settings;
  private final List<String> topics;
  private final OutputStream out;
  private final Queue<Asked> asked = new ConcurrentLinkedQueue<>();
  private final Base64.Encoder base64 = Base64.getEncoder();
  private volatile List<TopicPartition> partitions = List.of();

  private Reader(String brokers, List<String> topics, OutputStream out) {
    this.topics = topics;
    this.out = out;
    this.settings = Map.ofEntries(
        Map.entry("bootstrap.servers", brokers),
        Map.entry("isolation.level", "read_committed"),
        Map.entry("key.deserializer", ByteArrayDeserializer.class),
        Map.entry("value.deserializer", ByteArrayDeserializer.class),
        Map.entry("enable.auto.commit", false),
        Map.entry("allow.auto.create.topics", false),
        // What is gone from the log has to be said, and not jumped over.
        Map.entry("auto.offset.reset", "none"),
        Map.entry("max.poll.records", 5000),
        Map.entry("fetch.max.wait.ms", 100),
        // Brokers die and move: what is known of them is looked up often, and given up early.
        Map.entry("metadata.max.age.ms", 5000),
        Map.entry("reconnect.backoff.max.ms", 500),
        Map.entry("request.timeout.ms", 10000),
        Map.entry("default.api.timeout.ms", 10000));
  }

  public static void main(String[] args) {
    OutputStream out = new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 18);
    // A log line in between would break the stream.
    System.setOut(System.err);
    Reader reader = new Reader(args[0], List.of(args).subList(1, args.length), out);
    Thread commands = new Thread(reader::takeCommands, "commands");
    commands.setDaemon(true);
    commands.start();
    while (true) {
      try {
        reader.read();
      } catch (KafkaException trouble) {
        complain(trouble);
      } catch (IOException nobodyReads) {
        Runtime.getRuntime().halt(0);
      }
    }
  }

  private void read() throws IOException {
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings)) {
      List<TopicPartition> found = new ArrayList<>();
      for (String topic : topics) {
        List<PartitionInfo> infos = consumer.partitionsFor(topic);
        if (infos.isEmpty()) throw new KafkaException("no topic " + topic);
        for (PartitionInfo info : infos) found.add(new TopicPartition(topic, info.partition()));
      }
      consumer.assign(found);
      consumer.seekToBeginning(found);
      partitions = found;
      line("ready");
      out.flush();
      while (true) {
        poll(consumer);
        answer(consumer);
        out.flush();
      }
    }
  }

  /** No trouble of a broker ends it: positions are kept, and the next poll goes on from them. */
  private void poll(KafkaConsumer<byte[], byte[]> consumer) throws IOException {
    try {
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) write(record);
    } catch (OffsetOutOfRangeException gone) {
      // A truncated log is one of these, too.
      for (TopicPartition at : gone.partitions())
        line("gap", at.topic(), String.valueOf(at.partition()), gone.getMessage().replaceAll("\\s+", " "));
      consumer.seekToBeginning(gone.partitions());
    } catch (KafkaException trouble) {
      complain(trouble);
    }
  }

  private void write(ConsumerRecord<byte[], byte[]> record) throws IOException {
    StringBuilder headers = new StringBuilder();
    for (Header header : record.headers()) {
      if (headers.length() > 0) headers.append(',');
      headers.append(encoded(header.key().getBytes(StandardCharsets.UTF_8))).append(':').append(encoded(header.value()));
    }
    line("record", record.topic(), String.valueOf(record.partition()), String.valueOf(record.offset()),
        String.valueOf(record.timestamp()), encoded(record.key()), encoded(record.value()), headers.toString());
  }

  private void answer(KafkaConsumer<byte[], byte[]> consumer) throws IOException {
    for (Asked next = asked.peek(); next != null && isRead(consumer, next.ends); next = asked.peek()) {
      line("read", next.id);
      asked.remove();
    }
  }

  /** The position moves behind control records and aborted ones as well, so it gets to an end that holds nothing else. */
  private boolean isRead(KafkaConsumer<byte[], byte[]> consumer, Map<TopicPartition, Long> ends) {
    try {
      for (Map.Entry<TopicPartition, Long> end : ends.entrySet())
        if (consumer.position(end.getKey(), Duration.ofMillis(10)) < end.getValue()) return false;
      return true;
    } catch (KafkaException notYet) {
      return false;
    }
  }

  private void takeCommands() {
    try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Admin admin = Admin.create(adminSettings())) {
      for (String line = in.readLine(); line != null; line = in.readLine())
        if (line.startsWith("end ")) {
          String id = line.substring(4);
          // In a thread of its own: it may take long, and the end of stdin must be seen meanwhile.
          Thread ask = new Thread(() -> asked.add(new Asked(id, ends(admin))), "end " + id);
          ask.setDaemon(true);
          ask.start();
        }
    } catch (IOException | RuntimeException broken) {
      complain(broken);
    }
    Runtime.getRuntime().halt(0);
  }

  private Map<String, Object> adminSettings() {
    Map<String, Object> admin = new HashMap<>();
    for (String name : List.of("bootstrap.servers", "metadata.max.age.ms", "reconnect.backoff.max.ms",
        "request.timeout.ms", "default.api.timeout.ms")) admin.put(name, settings.get(name));
    return admin;
  }

  /**
   * The high watermarks, and not the last stable offsets: a transaction is committed when its coordinator says so, which
   * may be before the partitions have its markers. Behind the high watermark nothing that was committed can be missing.
   */
  private Map<TopicPartition, Long> ends(Admin admin) {
    while (true) {
      try {
        Map<TopicPartition, OffsetSpec> latest =
            partitions.stream().collect(Collectors.toMap(at -> at, at -> OffsetSpec.latest()));
        if (latest.isEmpty()) throw new KafkaException("nothing is assigned yet");
        Map<TopicPartition, Long> ends = new HashMap<>();
        admin.listOffsets(latest).all().get(15, TimeUnit.SECONDS).forEach((at, end) -> ends.put(at, end.offset()));
        return ends;
      } catch (Exception trouble) {
        complain(trouble);
      }
    }
  }

  private void line(String... fields) throws IOException {
    out.write(String.join("\t", fields).getBytes(StandardCharsets.UTF_8));
    out.write('\n');
  }

  private String encoded(byte[] bytes) {
    return bytes == null ? "-" : base64.encodeToString(bytes);
  }

  private static void complain(Exception trouble) {
    System.err.println(trouble);
    try {
      Thread.sleep(500);
    } catch (InterruptedException ignored) {
      Thread.currentThread().interrupt();
    }
  }
}
