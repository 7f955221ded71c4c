import java.io.*;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import java.util.zip.CRC32;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.internal.*;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.utils.Utils;

public class JavaRecords {
    static byte[] bytes(String text) { return text == null ? null : text.getBytes(StandardCharsets.UTF_8); }

    static ByteBuffer build(CompressionType codec, long baseOffset) {
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1 << 20), (byte) 2,
            Compression.of(codec).build(), TimestampType.CREATE_TIME, baseOffset, -1L, 4711L, (short) 3, 77, true, 5);
        for (int n = 0; n < 12; n++) {
            String key = n % 4 == 0 ? null : n % 4 == 1 ? "" : "key-" + n;
            String value = n % 5 == 3 ? null : n % 5 == 4 ? "" : "value " + n + " " + "abcdefgh".repeat(n * 3);
            // Larger than every codec's block.
            if (n == 10 && codec != CompressionType.NONE) value = "block".repeat(30_000);
            long time = 1700000000000L + (n % 2 == 0 ? n : -n * 1000L);
            Header[] headers = n % 3 != 1 ? new Header[0] : new Header[] {
                new RecordHeader("trace", bytes("\u03b1")), new RecordHeader("dup", bytes("1")), new RecordHeader("dup", bytes("2")),
                new RecordHeader("none", null), new RecordHeader("", new byte[0]) };
            builder.appendWithOffset(baseOffset + n, time, bytes(key), bytes(value), headers);
        }
        return builder.build().buffer();
    }

    static String text(ByteBuffer buffer) {
        if (buffer == null) return "null";
        byte[] all = new byte[buffer.remaining()];
        buffer.duplicate().get(all);
        if (all.length > 300) {
            CRC32 crc = new CRC32();
            crc.update(all);
            return all.length + " bytes, crc32 " + String.format("%08x", crc.getValue());
        }
        return "'" + new String(all, StandardCharsets.UTF_8) + "'";
    }

    public static void main(String[] arguments) throws IOException {
        Path directory = Paths.get(arguments[0]);
        for (CompressionType codec : CompressionType.values()) {
            ByteArrayOutputStream set = new ByteArrayOutputStream();
            for (long baseOffset : new long[] {0, 12}) {
                ByteBuffer buffer = build(codec, baseOffset);
                byte[] all = new byte[buffer.remaining()];
                buffer.duplicate().get(all);
                set.write(all);
            }
            Files.write(directory.resolve("java_records_" + codec.name + ".bin"), set.toByteArray());
            StringBuilder lines = new StringBuilder();
            for (RecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(set.toByteArray())).batches()) {
                batch.ensureValid();
                for (org.apache.kafka.common.record.internal.Record record : batch) {
                    lines.append("offset: " + record.offset() + " timestamp: " + record.timestamp() + " magic: " + batch.magic()
                        + " codec: " + batch.compressionType().name + " key: " + text(record.key()) + " value: " + text(record.value()));
                    for (Header header : record.headers())
                        lines.append(" header: " + header.key() + "=" + text(header.value() == null ? null : ByteBuffer.wrap(header.value())));
                    lines.append("\n");
                }
            }
            Files.writeString(directory.resolve("java_records_" + codec.name + ".txt"), lines.toString());
        }
        StringBuilder murmur = new StringBuilder();
        Random random = new Random(25);
        List<byte[]> keys = new ArrayList<>(List.of(new byte[0], bytes("21"), bytes("foobar"), bytes("a-little-bit-long-string"),
            bytes("a-little-bit-longer-string"), bytes("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), new byte[] {'a', 'b', 'c'}));
        for (int length = 1; length < 24; length++) { byte[] key = new byte[length]; random.nextBytes(key); keys.add(key); }
        for (byte[] key : keys) {
            int hash = Utils.murmur2(key);
            murmur.append(HexFormat.of().formatHex(key) + " " + hash + " " + Utils.toPositive(hash) % 25 + "\n");
        }
        Files.writeString(directory.resolve("murmur2.txt"), murmur.toString());
    }
}
