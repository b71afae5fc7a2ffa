# The official client of gRPC for Ruby (Debian's package ruby-grpc), all cases in one process.
#
#     ruby client.rb client 127.0.0.1:PORT
#
# It prints `passed CASE` for each. Those that need Google's accounts are left out.

folder = Gem::Specification.find_by_name('grpc').full_gem_path
load "#{folder}/src/ruby/pb/test/client.rb"
GRPC::LOGGER.level = Logger::ERROR if defined?(GRPC::LOGGER)
RubyLogger::LOGGER.level = Logger::ERROR

CASES = %w[
  empty_unary large_unary client_streaming server_streaming ping_pong empty_stream custom_metadata
  status_code_and_message unimplemented_method unimplemented_service cancel_after_begin cancel_after_first_response
  timeout_on_sleeping_server
].freeze

host, port = ARGV.fetch(1).split(':')
CASES.each do |name|
  args = Args.new
  args.server_host = host
  args.server_port = port
  args.test_case = name
  args.secure = false
  begin
    NamedTests.new(create_stub(args), args).method(name).call
    puts "passed #{name}"
  rescue StandardError => e
    puts "failed #{name}: #{e.full_message(highlight: false)}"
  end
  $stdout.flush
end
