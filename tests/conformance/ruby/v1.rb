# frozen_string_literal: true

# What an application does with the SDK's version 1, and no more: the calls, with its default credential chain.

require 'uri'
require 'aws-sdk-v1'
require_relative 'application'

# Its STS is older than GetCallerIdentity and will not speak plain HTTP. The operation is told to it as its own are, and
# the client is made without that check; request, credentials and signature stay the SDK's.
class AWS::STS::Client::V20110615
  outputs = { children: { 'GetCallerIdentityResult' => { ignore: true, children: { 'Arn' => { type: :string } } } } }
  builder = AWS::Core::QueryRequestBuilder.new('2011-06-15', name: 'GetCallerIdentity', inputs: {})
  define_client_method(:get_caller_identity, builder, AWS::Core::QueryResponseParser.new(outputs))

  def initialize(options)
    AWS::Core::Client.instance_method(:initialize).bind_call(self, options)
  end
end

module Calls
  # One client for each service and endpoint, kept as an application keeps it: its credentials must outlive a refresh.
  STS = Hash.new { |kept, endpoint| kept[endpoint] = AWS::STS::Client.new(at(endpoint)) }
  S3 = Hash.new { |kept, endpoint| kept[endpoint] = AWS::S3::Client.new(s3_force_path_style: true, **at(endpoint)) }

  module_function

  def at(endpoint)
    address = URI(endpoint)
    # A service's region is read from its address where AWS's own is used.
    { endpoint: address.host, port: address.port, use_ssl: false, region: AWS.config.region }
  end

  def who(endpoint:)
    STS[endpoint].get_caller_identity[:arn]
  end

  def list(endpoint:)
    S3[endpoint].list_buckets[:buckets].map { |bucket| bucket[:name] }.to_a
  end

  def create_bucket(endpoint:, bucket:)
    S3[endpoint].create_bucket(bucket_name: bucket, location_constraint: AWS.config.region)
    true
  end

  def put(endpoint:, bucket:, key:, body:)
    S3[endpoint].put_object(bucket_name: bucket, key: key, data: body)
    true
  end

  def get(endpoint:, bucket:, key:)
    S3[endpoint].get_object(bucket_name: bucket, key: key)[:data].force_encoding(Encoding::UTF_8)
  end
end

converse({ 'aws-sdk-v1' => AWS::VERSION }, Calls)
