import java.io.*;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.*;
import org.apache.kafka.common.utils.ByteBufferOutputStream;

public class LegacyMessageSets {
    static byte[] bytes(String text) { return text == null ? null : text.getBytes(StandardCharsets.UTF_8); }

    static ByteBuffer build(byte magic, CompressionType codec, TimestampType type, long baseOffset, boolean gaps) {
        // The buffer never has to grow: the builder would copy it.
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1 << 20), magic,
            Compression.of(codec).build(), type, baseOffset, 1700000009999L);
        for (int n = 0; n < 12; n++) {
            String key = n % 4 == 0 ? null : n % 4 == 1 ? "" : "key-" + n;
            String value = n % 5 == 3 ? null : n % 5 == 4 ? "" : "value " + n + " " + "abcdefgh".repeat(n * 3);
            long time = magic == 0 ? RecordBatch.NO_TIMESTAMP : 1700000000000L + (n % 2 == 0 ? n : -n);
            // Compaction leaves gaps within a wrapper.
            long offset = baseOffset + (gaps ? n * 3L : n);
            builder.appendWithOffset(offset, time, bytes(key), bytes(value));
        }
        return builder.build().buffer();
    }

    static String text(ByteBuffer buffer) {
        if (buffer == null) return "null";
        byte[] all = new byte[buffer.remaining()];
        buffer.duplicate().get(all);
        return "'" + new String(all, StandardCharsets.UTF_8) + "'";
    }

    public static void main(String[] arguments) throws IOException {
        Path directory = Paths.get(arguments[0]);
        if (arguments.length > 1) {
            // Record sets from elsewhere: only read.
            for (String name : Arrays.asList(arguments).subList(1, arguments.length)) read(directory, name);
            return;
        }
        List<CompressionType> codecs = List.of(CompressionType.NONE, CompressionType.GZIP, CompressionType.SNAPPY, CompressionType.LZ4);
        for (byte magic = 0; magic <= 1; magic++)
            for (CompressionType codec : codecs)
                write(directory, "magic" + magic + "_" + codec.name, magic, codec,
                    magic == 0 ? TimestampType.NO_TIMESTAMP_TYPE : TimestampType.CREATE_TIME, true);
        write(directory, "magic1_append_time", (byte) 1, CompressionType.GZIP, TimestampType.LOG_APPEND_TIME, false);
    }

    static void write(Path directory, String name, byte magic, CompressionType codec, TimestampType type, boolean gaps) throws IOException {
        // Two wrappers behind each other; without compression 24 messages.
        ByteArrayOutputStream set = new ByteArrayOutputStream();
        for (long baseOffset : new long[] {100, 500}) {
            ByteBuffer buffer = build(magic, codec, type, baseOffset, gaps);
            byte[] all = new byte[buffer.remaining()];
            buffer.duplicate().get(all);
            set.write(all);
        }
        Files.write(directory.resolve(name + ".bin"), set.toByteArray());
        read(directory, name);
    }

    // What Kafka's own reader says of it.
    static void read(Path directory, String name) throws IOException {
        StringBuilder lines = new StringBuilder();
        for (RecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(Files.readAllBytes(directory.resolve(name + ".bin")))).batches()) {
            batch.ensureValid();
            for (org.apache.kafka.common.record.Record record : batch)
                lines.append("offset: " + record.offset() + " timestamp: " + record.timestamp() + " magic: " + batch.magic()
                    + " codec: " + batch.compressionType().name + " key: " + text(record.key()) + " value: " + text(record.value()) + "\n");
        }
        Files.writeString(directory.resolve(name + ".txt"), lines.toString());
    }
}
