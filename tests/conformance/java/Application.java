import java.util.List;
import java.util.Map;

/** What an application does with AWS. */
interface Application {
    Map<String, String> versions();

    String who(String endpoint);

    List<String> list(String endpoint);

    void createBucket(String endpoint, String bucket);

    void put(String endpoint, String bucket, String key, String body);

    String get(String endpoint, String bucket, String key);
}
