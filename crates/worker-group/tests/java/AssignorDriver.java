package org.apache.kafka.connect.runtime.distributed;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.common.utils.LogContext;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.connect.runtime.distributed.WorkerCoordinator.ConnectorsAndTasks;
import org.apache.kafka.connect.storage.ClusterConfigState;
import org.apache.kafka.connect.util.ConnectorTaskId;

/**
 * Asks Kafka Connect's own assignor, round by round. Stands in its package, because what it calls is visible there only.
 *
 * <pre>
 * H delay                                                        a new leader
 * R now last generation name:tasks,… member=name,…|name/task,…;…  a round
 * </pre>
 */
public class AssignorDriver {
    private static long now;

    public static void main(String[] arguments) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        Time time = (Time) Proxy.newProxyInstance(Time.class.getClassLoader(), new Class<?>[] {Time.class},
            (proxy, method, values) -> now);
        StringBuilder out = new StringBuilder();
        IncrementalCooperativeAssignor leader = null;
        for (String line; (line = in.readLine()) != null; ) {
            String[] parts = line.split(" ", -1);
            if (parts[0].equals("H")) {
                leader = new IncrementalCooperativeAssignor(new LogContext(), time, Integer.parseInt(parts[1]));
                continue;
            }
            now = Long.parseLong(parts[1]);
            Map<String, Integer> counts = new HashMap<>();
            Map<String, Map<String, String>> configs = new HashMap<>();
            for (String connector : list(parts[4])) {
                int colon = connector.lastIndexOf(':');
                counts.put(connector.substring(0, colon), Integer.parseInt(connector.substring(colon + 1)));
                configs.put(connector.substring(0, colon), Map.of());
            }
            ClusterConfigState configured = new ClusterConfigState(0, null, counts, configs, Map.of(), Map.of(), Map.of(),
                Map.of(), Map.of(), Set.of(), Set.of());
            Map<String, ConnectorsAndTasks> held = new LinkedHashMap<>();
            for (String member : parts[5].split(";")) {
                int equals = member.indexOf('=');
                int bar = member.indexOf('|');
                List<ConnectorTaskId> tasks = new ArrayList<>();
                for (String task : list(member.substring(bar + 1))) {
                    int slash = task.lastIndexOf('/');
                    tasks.add(new ConnectorTaskId(task.substring(0, slash), Integer.parseInt(task.substring(slash + 1))));
                }
                held.put(member.substring(0, equals),
                    new ConnectorsAndTasks.Builder().with(list(member.substring(equals + 1, bar)), tasks).build());
            }
            IncrementalCooperativeAssignor.ClusterAssignment decided = leader.performTaskAssignment(configured,
                Integer.parseInt(parts[2]), Integer.parseInt(parts[3]), held);
            out.append(leader.delay);
            for (String member : held.keySet()) {
                out.append(' ').append(member).append('+');
                show(out, decided.newlyAssignedConnectors(member), decided.newlyAssignedTasks(member));
                out.append('-');
                show(out, decided.newlyRevokedConnectors(member), decided.newlyRevokedTasks(member));
            }
            out.append('\n');
        }
        System.out.print(out);
    }

    private static List<String> list(String text) {
        return text.isEmpty() ? List.of() : List.of(text.split(","));
    }

    private static void show(StringBuilder out, Collection<String> connectors, Collection<ConnectorTaskId> tasks) {
        out.append(String.join(",", new TreeSet<>(connectors))).append('|');
        List<String> names = new ArrayList<>();
        for (ConnectorTaskId task : new TreeSet<>(tasks)) names.add(task.connector() + "/" + task.task());
        out.append(String.join(",", names));
    }
}
