import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.errors.ElectionNotNeededException;

/**
 * What the campaign asks of the cluster, with Kafka's own admin client: one command a line, one line of answer each,
 * which begins with "= " (JSON) or "! " (what went wrong). kafkajs cannot elect leaders.
 */
public class ClusterAdmin {
  private final Admin admin;

  private ClusterAdmin(Admin admin) {
    this.admin = admin;
  }

  public static void main(String[] args) throws Exception {
    // Brokers are frozen and killed: who does not answer is soon asked elsewhere.
    Map<String, Object> settings = Map.of(
        "bootstrap.servers", args[0],
        "request.timeout.ms", 3000,
        "default.api.timeout.ms", 12000,
        "socket.connection.setup.timeout.ms", 1000,
        "reconnect.backoff.max.ms", 300,
        "metadata.max.age.ms", 2000);
    try (Admin admin = Admin.create(settings);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in))) {
      ClusterAdmin cluster = new ClusterAdmin(admin);
      for (String line; (line = in.readLine()) != null; ) System.out.println(cluster.answer(line.trim().split(" ")));
    }
  }

  private String answer(String[] words) {
    try {
      return "= " + switch (words[0]) {
        case "state" -> state(words.length > 1 ? words[1] : "");
        case "move" -> move(Long.parseLong(words[1]));
        default -> throw new IllegalArgumentException("unknown command " + words[0]);
      };
    } catch (Exception error) {
      return "! " + String.valueOf(error).replace('\n', ' ');
    }
  }

  private Collection<TopicDescription> topics() throws Exception {
    Set<String> names = admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get();
    return admin.describeTopics(names).allTopicNames().get().values();
  }

  /** Brokers that are away may still be named as leader or in sync for as long as their session lasts: they do not count. */
  private String state(String away) throws Exception {
    Set<Integer> gone = new HashSet<>();
    for (String id : away.split(",")) if (!id.isEmpty()) gone.add(Integer.parseInt(id));
    int partitions = 0, leaderless = 0, belowMin = 0, outOfSync = 0;
    Map<Integer, Integer> leads = new TreeMap<>();
    for (TopicDescription topic : topics()) {
      for (TopicPartitionInfo partition : topic.partitions()) {
        partitions += 1;
        Node leader = partition.leader();
        if (leader == null || leader.isEmpty() || gone.contains(leader.id())) leaderless += 1;
        else leads.merge(leader.id(), 1, Integer::sum);
        int copies = partition.replicas().size();
        long inSync = partition.isr().stream().filter(node -> !gone.contains(node.id())).count();
        if (inSync < Math.max(1, copies - 1)) belowMin += 1;
        if (inSync < copies) outOfSync += 1;
      }
    }
    String byBroker = leads.entrySet().stream()
        .map(entry -> "\"" + entry.getKey() + "\":" + entry.getValue())
        .collect(Collectors.joining(",", "{", "}"));
    return String.format(
        "{\"brokers\":%d,\"partitions\":%d,\"leaderless\":%d,\"below_min\":%d,\"out_of_sync\":%d,\"leads\":%s}",
        admin.describeCluster().nodes().get().size(), partitions, leaderless, belowMin, outOfSync, byBroker);
  }

  /** Puts the replicas of each partition into another order, and has the first of them elected. */
  private String move(long seed) throws Exception {
    Random random = new Random(seed);
    Map<TopicPartition, Optional<NewPartitionReassignment>> orders = new HashMap<>();
    List<TopicDescription> sorted = new ArrayList<>(topics());
    sorted.sort((one, other) -> one.name().compareTo(other.name()));
    int moved = 0;
    for (TopicDescription topic : sorted) {
      for (TopicPartitionInfo partition : topic.partitions()) {
        List<Integer> order = new ArrayList<>(partition.replicas().stream().map(Node::id).sorted().toList());
        if (order.size() < 2) continue;
        Collections.shuffle(order, random);
        orders.put(new TopicPartition(topic.name(), partition.partition()),
            Optional.of(new NewPartitionReassignment(order)));
        Node leader = partition.leader();
        if (leader == null || leader.id() != order.get(0)) moved += 1;
      }
    }
    admin.alterPartitionReassignments(orders).all().get();
    Map<TopicPartition, Optional<Throwable>> elected =
        admin.electLeaders(ElectionType.PREFERRED, orders.keySet()).partitions().get();
    long refused = elected.values().stream()
        .filter(error -> error.isPresent() && !(error.get() instanceof ElectionNotNeededException))
        .count();
    return String.format("{\"moved\":%d,\"refused\":%d}", moved, refused);
  }
}
