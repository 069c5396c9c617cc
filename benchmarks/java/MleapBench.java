import java.io.File;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;
import ml.combust.mleap.binary.DefaultFrameReader;
import ml.combust.mleap.binary.DefaultFrameWriter;
import ml.combust.mleap.core.types.StructType;
import ml.combust.mleap.runtime.frame.DefaultLeapFrame;
import ml.combust.mleap.runtime.frame.Row;
import ml.combust.mleap.runtime.frame.RowTransformer;
import ml.combust.mleap.runtime.frame.Transformer;
import ml.combust.mleap.runtime.javadsl.BundleBuilder;
import ml.combust.mleap.runtime.javadsl.ContextBuilder;
import scala.Predef;
import scala.collection.Seq;

/**
 * MLeap's runtime on one bundle, in the three ways a Java program would use it. Everything is loaded and parsed before
 * the clock starts, and each way runs for `warm` seconds first, so that the JVM's compiler has done its work.
 *
 * Arguments: bundle.zip, rows (a binary leap frame), outputs (names with commas), answers (the frame to write), rows of
 * the big frame, seconds to warm each way, seconds of a repeat, repeats. Prints a line a repeat: the way, seconds
 * a row, and seconds of processor time a row.
 */
public final class MleapBench {
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
  private static volatile Object sink;

  public static void main(String[] given) throws Exception {
    Transformer model =
        new BundleBuilder().load(new File(given[0]), new ContextBuilder().createMleapContext()).root();
    byte[] bytes = Files.readAllBytes(Path.of(given[1]));
    DefaultLeapFrame frame = new DefaultFrameReader().fromBytes(bytes, StandardCharsets.UTF_8).get();
    Seq<String> outputs = seq(given[2].split(","));
    DefaultLeapFrame answers = model.transform(frame).get().select(outputs).get();
    Files.write(Path.of(given[3]), new DefaultFrameWriter<>(answers).toBytes(StandardCharsets.UTF_8).get());

    StructType schema = frame.schema();
    List<Row> rows = new ArrayList<>();
    frame.dataset().foreach(row -> rows.add(row));
    double warm = Double.parseDouble(given[5]);
    double length = Double.parseDouble(given[6]);
    int repeats = Integer.parseInt(given[7]);

    measure("frame", warm, length, repeats, rows.size(), () -> {
      Object last = null;
      for (Row row : rows) {
        DefaultLeapFrame one = DefaultLeapFrame.apply(schema, seq(new Row[] {row}));
        last = model.transform(one).get().select(outputs).get().dataset().head();
      }
      return last;
    });

    RowTransformer compiled = model.transform(RowTransformer.apply(schema)).get().select(outputs).get();
    measure("row", warm, length, repeats, rows.size(), () -> {
      Object last = null;
      for (Row row : rows) {
        last = compiled.transform(row);
      }
      return last;
    });

    Row[] many = new Row[Integer.parseInt(given[4])];
    for (int i = 0; i < many.length; i++) {
      many[i] = rows.get(i % rows.size());
    }
    DefaultLeapFrame big = DefaultLeapFrame.apply(schema, seq(many));
    measure("batch", warm, length, repeats, many.length,
        () -> model.transform(big).get().select(outputs).get().dataset().last());
  }

  private static void measure(
      String way, double warm, double length, int repeats, int rows, Supplier<Object> action) {
    spend(warm, action);
    for (int i = 0; i < repeats; i++) {
      long start = System.nanoTime();
      long cpu = THREADS.getCurrentThreadCpuTime();
      double each = 1e9 * spend(length, action) * rows;
      cpu = THREADS.getCurrentThreadCpuTime() - cpu;
      System.out.printf(Locale.ROOT, "%s %.12f %.12f%n", way, (System.nanoTime() - start) / each, cpu / each);
    }
  }

  /** Runs the action until the seconds are over, at least once; how often. */
  private static int spend(double seconds, Supplier<Object> action) {
    long end = System.nanoTime() + (long) (seconds * 1e9);
    int times = 0;
    do {
      sink = action.get();
      times++;
    } while (System.nanoTime() < end);
    return times;
  }

  @SuppressWarnings("unchecked")
  private static <T> Seq<T> seq(T[] values) {
    return (Seq<T>) Predef.wrapRefArray(values);
  }
}
